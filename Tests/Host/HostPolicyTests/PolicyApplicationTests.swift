// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import HostPolicy
import Testing

/// The key `applications` of a policy file.
@Suite struct PolicyApplicationTests {
    @Test func `each application is read, and those that are missing are as all`() throws {
        let policy = try PolicyDocumentTests.load(
            """
            {"action": "kill", "builtInExclusions": false, "applications": {
              "exec": {},
              "send": {"action": "block", "weights": {"code-that-sends-itself": 100, "direct-call-from-unbacked-memory": 60}},
              "listen": {"on": false}
            }}
            """)
        #expect(
            policy.policy.applications == [
                .exec: ApplicationPolicy(), .send: ApplicationPolicy(action: .block, weights: [.sendsItself: 100, .directCall: 60]),
                .listen: ApplicationPolicy(isOn: false),
            ])
        #expect(policy.policy.applicationsOn == [.exec, .connect, .send])
        #expect(policy.policy.action(for: .connect) == .kill)
        #expect(
            policy.summary.hasSuffix(
                "; send: block, code-that-sends-itself 100 points, direct-call-from-unbacked-memory 60 points; listen: off"))
    }

    /// Who looks first denies nothing, whatever a part of the file says.
    @Test func `an action of the command line holds for all applications`() throws {
        let policy = try PolicyDocumentTests.load(
            #"{"applications": {"exec": {"action": "kill", "weights": {"call-from-memory-file": 80}}, "send": {"on": false}}}"#,
            overrides: .init(action: .watch))
        #expect(policy.policy.onlyWatches)
        #expect(policy.policy.weight(of: .memoryFile, for: .exec) == 80)
        #expect(!policy.policy.isOn(.send))
    }

    @Test(arguments: [
        (#"{"applications": {"sned": {}}}"#, "sned"), (#"{"applications": {"send": {"off": true}}}"#, "off"),
        (#"{"applications": {"send": {"action": "deny"}}}"#, "deny"), (#"{"applications": {"send": {"on": "yes"}}}"#, "on"),
        (#"{"applications": {"send": {"weights": {"direct-call": 3}}}}"#, "direct-call"),
        (#"{"applications": {"send": {"weights": {"packed-program": 101}}}}"#, "'packed-program' is 101"),
        (#"{"applications": {"send": {"weights": {"packed-program": -1}}}}"#, "'packed-program' is -1"),
        (#"{"applications": ["send"]}"#, "applications"),
    ]) func `what is wrong is named`(_ text: String, _ what: String) {
        let error = #expect(throws: EpitopeError.self) { try PolicyDocumentTests.load(text) }
        #expect(error?.code == .policyInvalid)
        #expect(error?.message.contains(what) == true, "\(String(describing: error))")
    }
}
