import Disassembly
import Testing
