// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// A center's order to its hosts: which version of the application they are to run, file by file. It counts once the center's authority
/// has signed it (``SignedManifest``).
///
/// Its text is what is signed, so it has one form, which a shell reads as well:
///
///     epitope-agent-manifest 1
///     number 1764589307123
///     kind update
///     version 0.2.0
///     architecture x86_64
///     file epitope 36700160 SHA-256
///     file epitope-agent 31457280 SHA-256
///
/// The first line keeps the signature from counting for anything else: what an authority signs besides is DER, which never begins with
/// a letter.
public struct AgentManifest: Hashable, Sendable {
    /// What a host is to do.
    public enum Kind: String, Hashable, Sendable {
        /// Run a version that is not earlier than its own.
        case update
        /// Go back to an earlier one: an operator's decision.
        case back
    }

    /// A program of the application.
    public struct File: Hashable, Sendable {
        public var name: String
        /// In bytes.
        public var size: Int
        /// Of its content, in lower-case hexadecimal digits.
        public var sha256: String

        public init(name: String, size: Int, sha256: String) {
            self.name = name
            self.size = size
            self.sha256 = sha256
        }

        /// How many parts it is handed out in.
        public var parts: Int { (size + AgentManifest.partBytes - 1) / AgentManifest.partBytes }
    }

    /// Grows with each order of a center: by it a host tells a new order from one that is sent again.
    public var number: Int64
    public var kind: Kind
    public var version: AgentVersion
    public var architecture: AgentArchitecture
    /// One for each of ``fileNames``, in that order.
    public var files: [File]

    /// The programs that a host needs: the command line with the keeper, and the agent.
    public static let fileNames = ["epitope", "epitope-agent"]
    /// Of a file, in bytes.
    public static let maxFileBytes = 256 << 20
    /// Of what a file is handed out in, in bytes: a center has so much of it in memory for each host that takes one.
    public static let partBytes = 1 << 20
    /// Of a manifest's text, in bytes.
    static let maxTextBytes = 2048
    private static let head = "epitope-agent-manifest 1"

    public init(number: Int64, kind: Kind, version: AgentVersion, architecture: AgentArchitecture, files: [File]) {
        self.number = number
        self.kind = kind
        self.version = version
        self.architecture = architecture
        self.files = files
    }

    /// What is signed.
    public var text: String {
        let lines =
            [Self.head, "number \(number)", "kind \(kind.rawValue)", "version \(version)", "architecture \(architecture.rawValue)"]
            + files.map { "file \($0.name) \($0.size) \($0.sha256)" }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Reads a manifest's text: that which ``text`` gives, and no other.
    ///
    /// - Throws: `agent-manifest-malformed`.
    public init(text: String) throws(EpitopeError) {
        guard text.utf8.count <= Self.maxTextBytes else { throw HandoutErrors.malformed("it is longer than \(Self.maxTextBytes) bytes") }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        guard lines.first == Self.head[...] else { throw HandoutErrors.malformed("its first line is not '\(Self.head)'") }
        func value(_ index: Int, _ key: String) -> Substring? {
            guard index < lines.count, lines[index].hasPrefix(key + " ") else { return nil }
            return lines[index].dropFirst(key.count + 1)
        }
        guard let number = value(1, "number").flatMap({ Int64($0) }), number > 0,
            let kind = value(2, "kind").flatMap({ Kind(rawValue: String($0)) }),
            let version = value(3, "version").flatMap({ AgentVersion($0) }),
            let architecture = value(4, "architecture").flatMap({ AgentArchitecture(rawValue: String($0)) })
        else { throw HandoutErrors.malformed("it lacks its number, kind, version or architecture") }
        let files = lines.dropFirst(5).compactMap { File(line: $0) }
        self.init(number: number, kind: kind, version: version, architecture: architecture, files: files)
        try check()
        // One order has one text: what is signed is what was read.
        guard self.text == text else { throw HandoutErrors.malformed("it has lines that are none of a manifest") }
    }

    /// Checks that it is one that an authority signs.
    ///
    /// - Throws: `agent-manifest-malformed`.
    public func check() throws(EpitopeError) {
        guard number > 0, files.map(\.name) == Self.fileNames else {
            throw HandoutErrors.malformed("its files are not \(Self.fileNames.joined(separator: " and "))")
        }
        guard files.allSatisfy({ (1...Self.maxFileBytes).contains($0.size) && Self.isDigest($0.sha256) }) else {
            throw HandoutErrors.malformed("a file is empty, larger than \(Self.maxFileBytes >> 20) MB, or has no SHA-256")
        }
    }

    /// Whether a text is a SHA-256 in lower-case hexadecimal digits.
    public static func isDigest(_ text: some StringProtocol) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }
}

extension AgentManifest.File {
    fileprivate init?(line: Substring) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 4, words[0] == "file", let size = Int(words[2]) else { return nil }
        self.init(name: String(words[1]), size: size, sha256: String(words[3]))
    }
}
