import Testing

@Suite struct SignaturesTestsPlaceholder {}
