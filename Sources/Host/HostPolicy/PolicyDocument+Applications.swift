// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import SettingsFiles

extension PolicyDocument {
    /// The key `applications` of a policy file: an object with a key for each application that something is said of.
    struct Applications: Decodable {
        var policies: [BlockingApplication: ApplicationPolicy] = [:]

        private struct Name: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }

            init(_ name: String) { stringValue = name }

            init?(stringValue: String) { self.init(stringValue) }

            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            try ConfigurationFile.refuseUnknown(in: decoder, known: BlockingApplication.allCases.map(\.rawValue))
            let values = try decoder.container(keyedBy: Name.self)
            for application in BlockingApplication.allCases where values.contains(Name(application.rawValue)) {
                policies[application] = try values.decode(Entry.self, forKey: Name(application.rawValue)).policy
            }
        }

        /// What is said of one.
        private struct Entry: Decodable {
            var policy: ApplicationPolicy

            enum CodingKeys: String, CodingKey, CaseIterable {
                case on, action, weights
            }

            init(from decoder: any Decoder) throws {
                try ConfigurationFile.refuseUnknown(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
                let values = try decoder.container(keyedBy: CodingKeys.self)
                policy = ApplicationPolicy(
                    isOn: try values.decodeIfPresent(Bool.self, forKey: .on) ?? true,
                    action: try ConfigurationFile.choice(Policy.Action.self, in: values, forKey: .action),
                    weights: values.contains(.weights) ? try values.decode(Weights.self, forKey: .weights).points : [:])
            }
        }

        /// Points by kind of evidence.
        private struct Weights: Decodable {
            var points: [EvidenceKind: Int] = [:]

            init(from decoder: any Decoder) throws {
                try ConfigurationFile.refuseUnknown(in: decoder, known: EvidenceKind.allCases.map(\.rawValue))
                let values = try decoder.container(keyedBy: Name.self)
                for kind in EvidenceKind.allCases {
                    let name = Name(kind.rawValue)
                    guard let value = try values.decodeIfPresent(Int.self, forKey: name) else { continue }
                    guard (0...100).contains(value) else {
                        throw SettingsProblemAt(
                            values.codingPath + [name],
                            EpitopeError(
                                .policyInvalid, "'\(kind.rawValue)' is \(value)", remedy: "set it to 0 (it never counts) to 100 points"))
                    }
                    points[kind] = value
                }
            }
        }
    }
}
