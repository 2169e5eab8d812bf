// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import FoundationEssentials

/// What a sender says of itself with each request: for a center's list of those that it knows. Nothing is decided by it.
public struct SenderNote: Hashable, Sendable {
    /// The version of Epitope (semver.org).
    public var version: String?
    /// Tells a machine from others, until it is started anew: 16 hexadecimal digits.
    public var machine: String?
    /// How calls are judged there: a level of the agent, `containers` or `run`. A local center has none.
    public var protection: String?
    /// Which applications of behaviour blocking are on there: ``EpitopeModel/BlockingApplication/word(_:)``.
    public var applications: String?

    /// Makes a note each time that one is sent: what it says may change while a program runs.
    public typealias Source = @Sendable () -> SenderNote

    public init(version: String? = nil, machine: String? = nil, protection: String? = nil, applications: String? = nil) {
        self.version = version
        self.machine = machine
        self.protection = protection
        self.applications = applications
    }

    /// That of this program on this machine.
    public static func own(protection: String? = nil, applications: String? = nil) -> SenderNote {
        SenderNote(version: Version.current, machine: thisMachine, protection: protection, applications: applications)
    }

    /// Of what a copy of a machine doesn't have: the kernel makes a number anew at each start. Hashed, so that it serves for nothing else.
    private static let thisMachine: String? = {
        let parts = ["/proc/sys/kernel/random/boot_id", "/etc/machine-id"].map { (try? String(contentsOfFile: $0, encoding: .utf8)) ?? "" }
        guard parts.contains(where: { !$0.isEmpty }) else { return nil }
        return Hex.encode(SHA256.hash(data: Data(("epitope machine\n" + parts.joined()).utf8)).prefix(8))
    }()

    /// The headers of a request that say it.
    public enum Header: String, CaseIterable, Sendable {
        case version = "epitope-version"
        case machine = "epitope-machine"
        case protection = "epitope-protection"
        case applications = "epitope-applications"
    }

    /// What a request's headers say: of each a short word of letters, digits and `.-+_`, and what is none is left out.
    ///
    /// - Parameter value: of a header.
    public init(_ value: (Header) -> String?) {
        func word(_ header: Header) -> String? {
            value(header).flatMap { text in
                (1...Self.maxLength).contains(text.utf8.count) && text.utf8.allSatisfy(Self.isAllowed) ? text : nil
            }
        }
        self.init(version: word(.version), machine: word(.machine), protection: word(.protection), applications: word(.applications))
    }

    private static let maxLength = 32

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: [UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "_")].contains(byte)
        }
    }

    /// The headers, by name.
    var headers: [(name: String, value: String)] {
        Header.allCases.compactMap { header in
            let value =
                switch header {
                case .version: version
                case .machine: machine
                case .protection: protection
                case .applications: applications
                }
            return value.map { (header.rawValue, $0) }
        }
    }
}
