public import EpitopeModel

/// Machine code as instructions.
public enum Disassembly {}
