// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import HostPolicy
import TestSupport
import Testing

/// What a policy file says, and how one that says something else is refused.
@Suite struct PolicyDocumentTests {
    static func load(_ text: String, overrides: HostPolicy.Overrides = .init()) throws -> HostPolicy {
        let folder = try TemporaryFolder()
        let file = try folder.makeFile("policy.json")
        try file.write(contentsOf: Data(text.utf8))
        chmod("\(folder.path)/policy.json", 0o600)
        return try HostPolicy(path: "\(folder.path)/policy.json", overrides: overrides)
    }

    @Test func everythingMayBeLeftOut() throws {
        let policy = try Self.load("{}")
        #expect(policy.policy == .default)
        #expect(policy.excuses == ShippedExcuses.all)
        #expect(try Self.load(#"{"shippedExcuses": false}"#).excuses.isEmpty)
    }

    @Test func eachKindOfSubjectIsRead() throws {
        let hash = String(repeating: "0f", count: 32)
        let policy = try Self.load(
            """
            {"action": "stop", "blockAt": 100, "reportAt": 10, "uninspectable": "allow", "shippedExcuses": false, "excuses": [
              {"executable": "/usr/bin/a", "sha256": "\(hash.uppercased())", "evidence": "library-call-from-unbacked-memory", "reason": "r", "until": "2027-06-30"},
              {"executable": "/usr/bin/b", "evidence": "direct-call-from-unbacked-memory", "reason": "r", "until": "2027-06-30"},
              {"package": "luajit", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"},
              {"unit": "app.service", "evidence": "call-from-written-image-page", "reason": "r", "until": "2027-06-30"},
              {"container": "0123456789ab", "evidence": "unattributable-caller", "reason": "r", "until": "2027-06-30"},
              {"user": "build", "evidence": "unbacked-memory-deeper-in-stack", "reason": "the reason", "until": "2028-02-29"}
            ]}
            """)
        #expect(policy.policy == Policy(action: .stop, blockAt: 100, reportAt: 10, uninspectable: .allow))
        #expect(
            policy.excuses.map(\.subject) == [
                .executable(path: "/usr/bin/a", sha256: hash), .executable(path: "/usr/bin/b", sha256: nil), .package("luajit"),
                .unit("app.service"), .container("0123456789ab"), .user("build"),
            ])
        #expect(
            policy.excuses.map(\.evidence) == [.libraryCall, .directCall, .memoryFile, .writtenImagePage, .unattributable, .deeperInStack])
        #expect(policy.excuses[5].reason == "the reason")
        #expect(policy.excuses[5].until == CalendarDay("2028-02-29"))
    }

    @Test func theCommandLineStandsAboveTheFile() throws {
        let policy = try Self.load(
            #"{"action": "kill", "uninspectable": "allow"}"#, overrides: .init(action: .watch, uninspectable: .deny))
        #expect(policy.policy.action == .watch)
        #expect(policy.policy.uninspectable == .deny)
    }

    static let right = #""package": "p", "evidence": "library-call-from-unbacked-memory", "reason": "r", "until": "2027-06-30""#

    @Test(arguments: [
        ("{", "can't be used"), (#"{"actoin": "block"}"#, "'actoin' is not known"), (#"{"action": "explode"}"#, "action"),
        (#"{"blockAt": 0}"#, "'blockAt' is 0"), (#"{"reportAt": 101}"#, "'reportAt' is 101"),
        (#"{"excuses": [{}]}"#, "names nobody"),
        (#"{"excuses": [{\#(right), "unit": "u.service"}]}"#, "package p and unit u.service"),
        (#"{"excuses": [{\#(right), "sha256": "00"}]}"#, "has a sha256"),
        (#"{"excuses": [{\#(right), "why": "x"}]}"#, "'why' is not known"),
        (#"{"excuses": [{"package": "p", "evidence": "all", "reason": "r", "until": "2027-06-30"}]}"#, "no kind of evidence"),
        (#"{"excuses": [{"package": "p", "evidence": "call-from-memory-file", "until": "2027-06-30"}]}"#, "no reason"),
        (
            #"{"excuses": [{"package": "p", "evidence": "call-from-memory-file", "reason": "", "until": "2027-06-30"}]}"#,
            "'reason' is empty"
        ),
        (#"{"excuses": [{"package": "p", "evidence": "call-from-memory-file", "reason": "r"}]}"#, "no end"),
        (#"{"excuses": [{"package": "p", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-02-29"}]}"#, "no end"),
        (
            #"{"excuses": [{"executable": "bin/a", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"}]}"#,
            "no absolute path"
        ),
        (
            #"{"excuses": [{"container": "0123", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"}]}"#,
            "no container's id"
        ),
        (#"{"excuses": [{"unit": "a/b", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"}]}"#, "no name"),
    ])
    func whatIsNoPolicyIsRefused(_ text: String, _ says: String) throws {
        let error = #expect(throws: EpitopeError.self) { try Self.load(text) }
        #expect(error?.code == .policyInvalid)
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("policy.json") == true)
    }

    @Test func aFileThatOthersMayWriteIsNotTrusted() throws {
        let folder = try TemporaryFolder()
        _ = try folder.makeFile("policy.json")
        chmod("\(folder.path)/policy.json", 0o646)
        let error = #expect(throws: EpitopeError.self) { try HostPolicy(path: "\(folder.path)/policy.json") }
        #expect(error?.code == .policyNotTrusted)
    }

    @Test func aFileThatIsNotThereIsMissing() {
        let error = #expect(throws: EpitopeError.self) { try HostPolicy(path: "/nonexistent/policy.json") }
        #expect(error?.code == .policyMissing)
        #expect(#expect(throws: EpitopeError.self) { try HostPolicy(path: "/dev/null") }?.code == .policyMissing)
    }

    @Test func shippedExcusesAreWhole() {
        #expect(!ShippedExcuses.all.isEmpty)
        #expect(ShippedExcuses.all.allSatisfy { !$0.reason.isEmpty && $0.evidence != .directCall })
        #expect(Set(ShippedExcuses.all).count == ShippedExcuses.all.count)
    }
}
