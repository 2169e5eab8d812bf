import Testing

@Suite struct PacketCodingTestsPlaceholder {}
