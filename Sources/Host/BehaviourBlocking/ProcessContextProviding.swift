// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Describes the processes that backends report. Asked by a backend while the process's call is held.
public protocol ProcessContextProviding: Sendable {
    /// Reads what a report says of a process: its program, user, ancestors, sockets. What can't be read is absent.
    ///
    /// - Parameters:
    ///   - processID: the process.
    ///   - threadID: the thread that made the call.
    ///   - container: the container that the process belongs to, as its runtime names it; `nil` where no runtime did.
    func context(
        ofProcess processID: Int32, thread threadID: Int32, in container: ContainerReference?
    ) -> ProcessParameters
}

/// A container as its runtime names it.
public struct ContainerReference: Hashable, Sendable {
    /// Unique on its machine: 64 hexadecimal digits from every engine, any text from a runtime that is called by hand.
    public var id: String
    /// The annotations of the container's configuration.
    public var annotations: [String: String]

    public init(id: String, annotations: [String: String] = [:]) {
        self.id = id
        self.annotations = annotations
    }
}

/// Knows which processes the policy excludes. Asked by a backend while a call is held that would be denied or reported.
public protocol ExclusionProviding: Sendable {
    /// The kinds of evidence that don't count for a process.
    func excludedEvidence(forProcess processID: Int32) -> Set<EvidenceKind>
    /// Whether a process's calls are allowed although it can't be inspected.
    func allowsUninspected(process processID: Int32) -> Bool
}

extension ExclusionProviding {
    public func allowsUninspected(process processID: Int32) -> Bool { false }
}

/// Knows nothing of a process but its numbers.
public struct NumbersOnly: ProcessContextProviding {
    public init() {}

    public func context(
        ofProcess processID: Int32, thread threadID: Int32, in container: ContainerReference?
    ) -> ProcessParameters {
        ProcessParameters(processID: processID, threadID: threadID, containerID: container?.id)
    }
}

/// Excludes the same kinds of evidence for every process; by default none.
public struct FixedExclusions: ExclusionProviding {
    private let kinds: Set<EvidenceKind>

    public init(_ kinds: Set<EvidenceKind> = []) { self.kinds = kinds }

    public func excludedEvidence(forProcess processID: Int32) -> Set<EvidenceKind> { kinds }
}
