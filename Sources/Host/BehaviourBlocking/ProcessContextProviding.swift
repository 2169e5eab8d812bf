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

    /// Describes a process by the program that made its call, where it has ended or runs another program since.
    ///
    /// - Parameters:
    ///   - process: what was read of it; of the program that it runs now, if any.
    ///   - program: the program that made the call.
    func context(of process: ProcessParameters, atCall program: ProgramAtCall) -> ProcessParameters
}

extension ProcessContextProviding {
    public func context(of process: ProcessParameters, atCall program: ProgramAtCall) -> ProcessParameters { program.described(process) }
}

/// The program that a process ran when it made a call.
public struct ProgramAtCall: Sendable {
    /// Its file, as it was then.
    public struct File: Sendable {
        /// Open for reading for as long as the file is passed on.
        public var descriptor: Int32
        /// The root folder that the program's path begins at.
        public var root: String

        public init(descriptor: Int32, root: String) {
            self.descriptor = descriptor
            self.root = root
        }
    }

    /// The thread's name.
    public var name: String
    /// `nil` where it isn't known.
    public var path: String?
    /// `nil` where it can't be found any more, or has changed since.
    public var file: File?

    public init(name: String, path: String?, file: File? = nil) {
        self.name = name
        self.path = path
        self.file = file
    }

    /// The process with this program.
    public func described(_ process: ProcessParameters) -> ProcessParameters {
        var process = process
        process.name = name
        process.executable = path.map { Executable(path: $0) }
        return process
    }
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
