"""Commands about records: what decided a number, what differs between two, whether a number can be repeated,
and which of the paper's orderings the records confirm.
"""
