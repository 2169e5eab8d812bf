import Testing

@Suite struct HostStoreTestsPlaceholder {}
