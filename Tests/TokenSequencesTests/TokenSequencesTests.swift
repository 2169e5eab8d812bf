import TokenSequences
import Testing
