import Testing

@Suite struct HostParametersTestsPlaceholder {}
