import Testing

@Suite struct SuricataDeliveryTestsPlaceholder {}
