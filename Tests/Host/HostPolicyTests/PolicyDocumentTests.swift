// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import HostPolicy
import TestSupport
import Testing

/// Reading of policy files, and the errors of malformed ones.
@Suite struct PolicyDocumentTests {
    static func load(_ text: String, overrides: HostPolicy.Overrides = .init()) throws -> HostPolicy {
        let folder = try TemporaryFolder()
        let file = try folder.makeFile("policy.json")
        try file.write(contentsOf: Data(text.utf8))
        chmod("\(folder.path)/policy.json", 0o600)
        return try HostPolicy(path: "\(folder.path)/policy.json", overrides: overrides)
    }

    @Test func `every key of a policy file may be left out`() throws {
        let policy = try Self.load("{}")
        #expect(policy.policy == .default)
        #expect(policy.exclusions == BuiltInExclusions.all)
        #expect(try Self.load(#"{"builtInExclusions": false}"#).exclusions.isEmpty)
    }

    @Test func `each kind of exclusion subject is read`() throws {
        let hash = String(repeating: "0f", count: 32)
        let policy = try Self.load(
            """
            {"action": "stop", "blockAt": 100, "reportAt": 10, "uninspectable": "allow", "otherProcesses": "allow", "builtInExclusions": false, "exclusions": [
              {"executable": "/usr/bin/a", "sha256": "\(hash.uppercased())", "evidence": "library-call-from-unbacked-memory", "reason": "r", "until": "2027-06-30"},
              {"executable": "/usr/bin/b", "evidence": "direct-call-from-unbacked-memory", "reason": "r", "until": "2027-06-30"},
              {"executable": "/usr/bin/c", "library": "/usr/lib/d.so", "evidence": "direct-call-from-unbacked-memory", "reason": "r", "until": "2027-06-30"},
              {"package": "luajit", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"},
              {"unit": "app.service", "evidence": "call-from-written-image-page", "reason": "r", "until": "2027-06-30"},
              {"container": "0123456789ab", "evidence": "unattributable-caller", "reason": "r", "until": "2027-06-30"},
              {"user": "keys", "evidence": "uninspectable", "reason": "ssh-agent closes its memory", "until": "2027-06-30"},
              {"user": "build", "evidence": "unbacked-memory-deeper-in-stack", "reason": "the reason", "until": "2028-02-29"}
            ]}
            """)
        #expect(policy.policy == Policy(action: .stop, blockAt: 100, reportAt: 10, uninspectable: .allow, otherProcesses: .allow))
        #expect(
            policy.exclusions.map(\.subject) == [
                .executable(path: "/usr/bin/a", sha256: hash), .executable(path: "/usr/bin/b", sha256: nil),
                .library(path: "/usr/lib/d.so", executable: "/usr/bin/c"), .package("luajit"),
                .unit("app.service"), .container("0123456789ab"), .user("keys"), .user("build"),
            ])
        #expect(
            policy.exclusions.map(\.evidence) == [
                .libraryCall, .directCall, .directCall, .memoryFile, .writtenImagePage, .unattributable, nil, .deeperInStack,
            ])
        #expect(policy.exclusions[7].reason == "the reason")
        #expect(policy.exclusions[7].until == CalendarDay("2028-02-29"))
    }

    @Test func `the command line overrides the policy file`() throws {
        let policy = try Self.load(
            #"{"action": "kill", "uninspectable": "allow"}"#, overrides: .init(action: .watch, uninspectable: .deny))
        #expect(policy.policy.action == .watch)
        #expect(policy.policy.uninspectable == .deny)
    }

    static let right = #""package": "p", "evidence": "library-call-from-unbacked-memory", "reason": "r", "until": "2027-06-30""#

    @Test(arguments: [
        ("{", "can't be used: it isn't JSON: line 1, column 2: the text ends before the object does"),
        ("{\n  \"action\": \"block\"\n  \"blockAt\": 80\n}", "line 3, column 3: a comma or } is missing"),
        ("{\n  \"action\": block\n}", "line 2, column 13: 'block' is no value"),
        ("{\n\n 'action': 1}", "line 3, column 2: a key in double quotes"),
        (#"{"action" "block"}"#, "line 1, column 11: a colon is missing"), (#"{"blockAt": 080}"#, "line 1, column 13: '080' is no value"),
        ("{\"action\": \"bl\nock\"}", "line 1, column 12: a string isn't closed"),
        ("{} x", "line 1, column 4: there is text behind the end"),
        ("// no comments\n{}", "line 1, column 1: a value is missing"), ("", "the text is empty"),
        (#"{"exclusions": [1 2]}"#, "line 1, column 19: a comma or ] is missing"),
        (#"{"exclusions": [}"#, "column 17: a value or ] is missing"),
        (#"{"action": "blok"}"#, "'action' is 'blok', which is not one of its values"),
        (#"{"uninspectable": "x"}"#, "'uninspectable' is 'x'"), (#"{"otherProcesses": "x"}"#, "'otherProcesses' is 'x'"),
        (#"{"actoin": "block"}"#, "'actoin' is not known"), (#"{"action": "explode"}"#, "action"),
        (#"{"blockAt": 0}"#, "'blockAt' is 0"), (#"{"reportAt": 101}"#, "'reportAt' is 101"),
        (#"{"exclusions": [{}]}"#, "names no subject"),
        (#"{"exclusions": [{\#(right), "unit": "u.service"}]}"#, "package p and unit u.service"),
        (#"{"exclusions": [{\#(right), "sha256": "00"}]}"#, "has a sha256"),
        (#"{"exclusions": [{\#(right), "why": "x"}]}"#, "'exclusions[0].why' is not known"),
        (#"{"exclusions": [{"package": "p", "evidence": "all", "reason": "r", "until": "2027-06-30"}]}"#, "isn't a kind of evidence"),
        (#"{"exclusions": [{"package": "p", "evidence": "call-from-memory-file", "until": "2027-06-30"}]}"#, "no reason"),
        (
            #"{"exclusions": [{"package": "p", "evidence": "call-from-memory-file", "reason": "", "until": "2027-06-30"}]}"#,
            "'reason' is empty"
        ),
        (#"{"exclusions": [{"package": "p", "evidence": "call-from-memory-file", "reason": "r"}]}"#, "no end"),
        (
            #"{"exclusions": [{"package": "p", "evidence": "call-from-memory-file", "reason": "r", "until": "30.06.2027"}]}"#,
            "ends on '30.06.2027', which isn't a day of that form"
        ),
        (
            #"{"exclusions": [{"package": "p", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-02-29"}]}"#,
            "ends on '2027-02-29'"
        ),
        (
            #"{"exclusions": [{"executable": "bin/a", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"}]}"#,
            "isn't an absolute path"
        ),
        (
            #"{"exclusions": [{"container": "0123", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"}]}"#,
            "isn't a container's id"
        ),
        (
            #"{"exclusions": [{"unit": "a/b", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"}]}"#,
            "isn't the name"
        ),
    ])
    func `a malformed policy is refused`(_ text: String, _ says: String) throws {
        let error = #expect(throws: EpitopeError.self) { try Self.load(text) }
        #expect(error?.code == .policyInvalid)
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("policy.json") == true)
    }

    @Test func `what a value can be is said`() {
        #expect(
            #expect(throws: EpitopeError.self) { try Self.load(#"{"action": "blok"}"#) }?.remedy == "use one of: block, stop, kill, watch")
        #expect(#expect(throws: EpitopeError.self) { try Self.load(#"{"uninspectable": ""}"#) }?.remedy == "use one of: deny, allow")
    }

    @Test(arguments: [1001, 20_000, 120_000]) func `too many exclusions are said to be too many, however large the file is`(_ count: Int) {
        let entries = (0..<count).map {
            #"{"executable": "/opt/a-program-with-a-long-name/\#($0)", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30"}"#
        }
        let error = #expect(throws: EpitopeError.self) { try Self.load(#"{"exclusions": [\#(entries.joined(separator: ","))]}"#) }
        #expect(error?.code == .policyInvalid)
        #expect(error?.remedy.contains("keep to 1000") == true, "\(error?.description ?? "")")
        #expect(error?.message.contains("exclusions") == true || error?.message.contains("larger than 16 MiB") == true)
    }

    @Test func `a policy file that other users may write to is not trusted`() throws {
        let folder = try TemporaryFolder()
        _ = try folder.makeFile("policy.json")
        chmod("\(folder.path)/policy.json", 0o646)
        let error = #expect(throws: EpitopeError.self) { try HostPolicy(path: "\(folder.path)/policy.json") }
        #expect(error?.code == .policyNotTrusted)
    }

    @Test func `a policy file that does not exist is reported as missing`() {
        let error = #expect(throws: EpitopeError.self) { try HostPolicy(path: "/nonexistent/policy.json") }
        #expect(error?.code == .policyMissing)
        #expect(#expect(throws: EpitopeError.self) { try HostPolicy(path: "/dev/null") }?.code == .policyMissing)
    }

    @Test func `built-in exclusions are complete`() {
        #expect(!BuiltInExclusions.all.isEmpty)
        #expect(BuiltInExclusions.all.allSatisfy { !$0.reason.isEmpty && $0.evidence != .directCall })
        #expect(Set(BuiltInExclusions.all).count == BuiltInExclusions.all.count)
    }
}
