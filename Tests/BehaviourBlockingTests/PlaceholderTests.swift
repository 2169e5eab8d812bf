import Testing

@Suite struct BehaviourBlockingTestsPlaceholder {}
