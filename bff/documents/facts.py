"""What the schema declares of a document's operations; the walk itself is the contract's."""

from bff.contract import OperationFacts, describe

__all__ = ["OperationFacts", "describe"]
