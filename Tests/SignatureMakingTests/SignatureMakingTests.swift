import SignatureMaking
import Testing
