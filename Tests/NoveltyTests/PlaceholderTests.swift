import Testing

@Suite struct NoveltyTestsPlaceholder {}
