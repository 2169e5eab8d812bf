// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What is held of a critical call: a pure function of what was seen and the policy.
public struct Verdict: Hashable, Sendable {
    /// What is done about the call.
    public var action: ProtectiveAction
    /// Whether the call fails with EPERM. Every action but ``ProtectiveAction/watched`` denies.
    public var denies: Bool { action != .watched }
    /// Whether the call is worth a report: strong enough evidence, or an action.
    public var isReported: Bool
    public var architecture: Architecture
    /// The strongest first.
    public var evidence: [Evidence]
    /// What was seen and doesn't count: policy exclusions it.
    public var excluded: [Evidence]
    /// The address right after the call instruction in unbacked memory, or the instruction pointer where the call
    /// comes from backed memory.
    public var callersAddress: UInt64
    /// The memory that ``callersAddress`` lies in.
    public var region: MemoryRegion

    /// Judges a call.
    ///
    /// - Parameter excluded: the kinds of evidence that don't count for the process.
    public init(on observation: Observation, policy: Policy, excluded: Set<EvidenceKind> = []) {
        var evidence: [Evidence] = []
        let caller = observation.unbackedCaller
        if let caller {
            evidence.append(Self.evidence(of: caller, isDirect: observation.region.backing.isUnbacked))
            if let detail = Self.sendsItself(observation, callersAddress: caller.address) {
                evidence.append(Evidence(kind: .sendsItself, detail: detail))
            }
        }
        let callerIsReturnAddress = caller != nil && !observation.region.backing.isUnbacked
        let outer = observation.returnAddresses.dropFirst(callerIsReturnAddress ? 1 : 0)
        if let deeper = outer.first(where: { $0.region.backing.isUnbacked }) {
            evidence.append(
                Evidence(kind: .deeperInStack, detail: "\(Self.place(deeper)) is a return address further up the stack"))
        }
        self.excluded = evidence.filter { excluded.contains($0.kind) }
        evidence.removeAll { excluded.contains($0.kind) }
        // Stable: of two kinds of the same weight, where the call came from stands first.
        evidence.sort { $0.kind.defaultWeight > $1.kind.defaultWeight }

        let strongest = evidence.first?.kind.defaultWeight ?? 0
        let acts = !evidence.isEmpty && strongest >= policy.blockAt
        self.architecture = observation.architecture
        self.evidence = evidence
        self.callersAddress = caller?.address ?? observation.instructionPointer
        self.region = caller?.region ?? observation.region
        self.isReported = !evidence.isEmpty && (acts || strongest >= policy.reportAt)
        self.action =
            switch (acts, policy.action) {
            case (false, _), (true, .watch): .watched
            case (true, .block): .blocked
            case (true, .stop): .stopped
            case (true, .kill): .killed
            }
    }

    private static func evidence(of caller: Observation.ReturnAddress, isDirect: Bool) -> Evidence {
        let manner = isDirect ? "made the call" : "called the library that made the call"
        let kind: EvidenceKind =
            switch caller.region.backing {
            case .memoryFile: .memoryFile
            case .writtenImagePage: .writtenImagePage
            case .anonymous, .stack, .heap, .image, .kernel: isDirect ? .directCall : .libraryCall
            }
        return Evidence(kind: kind, detail: "\(place(caller)) \(manner)")
    }

    private static func sendsItself(_ observation: Observation, callersAddress: UInt64) -> String? {
        guard observation.call.family == .send, let buffer = observation.sendBuffer else { return nil }
        if buffer.contains(callersAddress: callersAddress) { return "the caller lies in the send buffer" }
        guard let code = observation.callersCode.first(where: { buffer.contains(code: $0) }) else { return nil }
        return "\(code.count) bytes at the caller are copied in the send buffer"
    }

    private static func place(_ caller: Observation.ReturnAddress) -> String {
        let memory =
            switch caller.region.backing {
            case .anonymous: "anonymous memory"
            case .stack: "the stack"
            case .heap: "the heap"
            case .memoryFile(let name): "the memory file \(name)"
            case .writtenImagePage(let path): "a written page of \(path)"
            case .image(let path): path
            case .kernel: "the kernel's page"
            }
        return "0x\(String(caller.address, radix: 16)) in \(caller.region.protection) \(memory)"
    }
}
