// SPDX-License-Identifier: Apache-2.0

/// A critical call that a behaviour blocking backend has inspected and answered, and that is worth a report. Both backends
/// (seccomp, kernel) produce this value.
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
    /// The points of the strongest evidence, by this host's policy; `nil`: the usual ones.
    public var points: Int?
    /// The applications of behaviour blocking that were on; empty: not said.
    public var applications: [BlockingApplication]
    /// What was read of the process while its call was held.
    public var process: ProcessParameters
    /// When the call was made, in milliseconds since 1970-01-01T00:00:00Z.
    public var timeMilliseconds: Int64
    /// Why the process's calls were inspected, of the kernel backend: `epitope run` inspects every call.
    public var markedFor: [MarkReason]
    /// What became of the code in its process, where it was to be overwritten; `nil` where it was not, or there was nothing to overwrite.
    public var cut: CodeCut?

    public init(
        architecture: Architecture, callersAddress: UInt64, region: MemoryRegion, call: CriticalCall,
        arguments: CallArguments, evidence: [Evidence], code: ExtractedCode, action: ProtectiveAction, points: Int? = nil,
        applications: [BlockingApplication] = [],
        process: ProcessParameters, timeMilliseconds: Int64, markedFor: [MarkReason] = [], cut: CodeCut? = nil
    ) {
        self.architecture = architecture
        self.callersAddress = callersAddress
        self.region = region
        self.call = call
        self.arguments = arguments
        self.evidence = evidence
        self.code = code
        self.action = action
        self.points = points
        self.applications = applications
        self.process = process
        self.timeMilliseconds = timeMilliseconds
        self.markedFor = markedFor
        self.cut = cut
    }
}
