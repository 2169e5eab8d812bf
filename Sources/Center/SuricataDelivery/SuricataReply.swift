// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials

/// What Suricata answers to a command: `OK` or `NOK`, and a message whose shape depends on the command.
struct SuricataReply<Message: Decodable & Sendable>: Decodable, Sendable {
    var message: Message?
    var status: String

    private enum CodingKeys: String, CodingKey {
        case message
        case status = "return"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        status = try container.decode(String.self, forKey: .status)
        // A refusal's message is a text, whatever the command.
        message = status == "OK" ? try container.decodeIfPresent(Message.self, forKey: .message) : nil
    }
}

/// A refused command's reply.
struct SuricataRefusal: Decodable {
    var message: String?
}

/// `ruleset-stats`, of one tenant: Suricata without multi-tenancy has one, number 0.
struct RulesetStatistics: Decodable, Sendable {
    var loaded: Int
    var failed: Int

    private enum CodingKeys: String, CodingKey {
        case loaded = "rules_loaded"
        case failed = "rules_failed"
    }
}

/// `ruleset-failed-rules`: a rule that the last load left out.
struct FailedRule: Decodable, Sendable {
    var rule: String
    var filename: String
    var line: Int?
}

/// `ruleset-reload-time`, of one tenant.
struct ReloadTime: Decodable, Sendable {
    var last: String

    private enum CodingKeys: String, CodingKey {
        case last = "last_reload"
    }
}
