// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The decision on a critical call. It depends only on what was observed, the policy and the exclusions: see
/// ``Policy/judge(_:excluding:)``.
public struct Verdict: Hashable, Sendable {
    /// What is done about the call.
    public var action: ProtectiveAction
    /// Whether the call is worth a report: strong enough evidence, or an action.
    public var isReported: Bool
    public var architecture: Architecture
    /// The evidence that counts, the strongest first; none for a call of an application that is off.
    public var evidence: [Evidence]
    /// The evidence that an exclusion covers: it was observed, but doesn't count.
    public var excluded: [Evidence]
    /// The points of the strongest evidence that counts, by the policy.
    public var points: Int
    /// The address right after the call instruction in unbacked memory, or the instruction pointer where the call
    /// comes from backed memory.
    public var callersAddress: UInt64
    /// The memory that ``callersAddress`` lies in.
    public var region: MemoryRegion

    /// Whether the call fails with EPERM. Every action but ``ProtectiveAction/watched`` denies.
    public var denies: Bool { action != .watched }
}
