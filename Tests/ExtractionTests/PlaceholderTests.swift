import Testing

@Suite struct ExtractionTestsPlaceholder {}
