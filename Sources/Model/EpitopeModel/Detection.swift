// SPDX-License-Identifier: Apache-2.0

/// A critical call that a behaviour blocking backend stalled, inspected and answered, and holds to be worth a
/// report. Both backends (seccomp, kernel) make this value.
public struct Detection: Hashable, Sendable {
    public var architecture: Architecture
    /// The address right after the instruction that made the call.
    public var callersAddress: UInt64
    public var region: MemoryRegion
    public var call: CriticalCall
    public var arguments: CallArguments
    public var evidence: [Evidence]
    public var code: ExtractedCode
    public var action: ProtectiveAction
    /// What was read of the process while it was held.
    public var process: ProcessParameters
    /// When the call was stalled, in milliseconds since 1970-01-01T00:00:00Z.
    public var timeMilliseconds: Int64

    public init(
        architecture: Architecture, callersAddress: UInt64, region: MemoryRegion, call: CriticalCall,
        arguments: CallArguments, evidence: [Evidence], code: ExtractedCode, action: ProtectiveAction,
        process: ProcessParameters, timeMilliseconds: Int64
    ) {
        self.architecture = architecture
        self.callersAddress = callersAddress
        self.region = region
        self.call = call
        self.arguments = arguments
        self.evidence = evidence
        self.code = code
        self.action = action
        self.process = process
        self.timeMilliseconds = timeMilliseconds
    }
}

/// Behaviour blocking on this machine: critical calls are stalled, inspected and answered, and those worth a report
/// come out as a stream. What comes out has already been answered; nobody needs to be reading for a call to be
/// blocked.
public protocol BehaviourBlockingBackend: Sendable {
    /// The calls worth a report, in the order in which they were answered. It ends when the backend ends.
    var detections: AsyncStream<Detection> { get }
}
