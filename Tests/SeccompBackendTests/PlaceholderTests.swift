import Testing

@Suite struct SeccompBackendTestsPlaceholder {}
