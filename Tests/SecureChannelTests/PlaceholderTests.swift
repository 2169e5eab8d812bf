import Testing

@Suite struct SecureChannelTestsPlaceholder {}
