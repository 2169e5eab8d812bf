import Testing

@Suite struct RenderingTestsPlaceholder {}
