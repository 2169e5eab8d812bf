import Testing

@Suite struct CorrelationTestsPlaceholder {}
