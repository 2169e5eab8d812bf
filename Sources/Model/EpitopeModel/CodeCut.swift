// SPDX-License-Identifier: Apache-2.0

/// What became of malicious code that was to be overwritten in its process (`--extraction cut`).
public enum CodeCut: Hashable, Sendable {
    /// All that was extracted was overwritten.
    case done
    /// The process has its code still, or a part of it. Its call was answered all the same.
    case failed(Failure)

    /// Why code could not be overwritten.
    public enum Failure: String, Hashable, Sendable, Codable, CaseIterable {
        /// The process was not held while it was to be done: no agent was there, or somebody continued it.
        case notHeld = "not-held"
        case ended
        /// A file on a disk, which others may need: it is never written.
        case file
        /// Memory that is shared, and that the process itself may not write: who shares it with the process would be harmed.
        case sharedReadOnly = "shared-read-only"
        /// Memory that is shared, and whose file could not be opened: that needs CAP_CHECKPOINT_RESTORE, or that the process has it open.
        case sharedUnreachable = "shared-unreachable"
        /// The kernel didn't write, or not all of it.
        case refused

        /// For a person.
        public var inWords: String {
            switch self {
            case .notHeld: "the process could not be held meanwhile"
            case .ended: "the process has ended"
            case .file: "it lies in a file on a disk, which is never written"
            case .sharedReadOnly: "it lies in shared memory that the process itself may not write"
            case .sharedUnreachable: "it lies in shared memory whose file can't be opened here"
            case .refused: "the kernel didn't write all of it"
            }
        }
    }

    /// Such as `done` or `failed: shared-read-only`, for logs.
    public var name: String {
        switch self {
        case .done: "done"
        case .failed(let failure): "failed: \(failure.rawValue)"
        }
    }

    /// What ``name`` says; `nil` for anything else.
    public init?(name: String) {
        if name == "done" {
            self = .done
        } else {
            guard name.hasPrefix("failed: "), let failure = Failure(rawValue: String(name.dropFirst("failed: ".count))) else { return nil }
            self = .failed(failure)
        }
    }
}
