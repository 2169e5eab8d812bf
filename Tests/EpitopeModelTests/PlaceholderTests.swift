import Testing

@Suite struct EpitopeModelTestsPlaceholder {}
