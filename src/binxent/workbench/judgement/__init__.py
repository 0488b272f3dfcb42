"""The judgement of a table, its split and its model: findings, importance of columns, simple rivals."""
