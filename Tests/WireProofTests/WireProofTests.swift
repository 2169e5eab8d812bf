import WireProof
import Testing
