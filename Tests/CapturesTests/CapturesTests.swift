import Captures
import Testing
