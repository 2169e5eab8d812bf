import PatternScan
import Testing
