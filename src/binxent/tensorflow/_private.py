"""What the door needs of TensorFlow that is not public. Tried with TensorFlow 2.21.

Everything that may move with a new version of TensorFlow is imported here.
"""

from tensorflow.python.eager import record  # whether a tape is active, and custom gradients
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext as is_in_xla  # whether XLA will compile

__all__ = ["is_in_xla", "record"]
