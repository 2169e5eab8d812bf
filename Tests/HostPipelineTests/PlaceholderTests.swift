import Testing

@Suite struct HostPipelineTestsPlaceholder {}
