import Testing

@Suite struct CenterTestsPlaceholder {}
