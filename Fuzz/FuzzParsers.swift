// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// All parsers that are fuzzed, in the order of the table.
enum FuzzParsers {
    static let all: [FuzzParser] = [
        .captures, .frames, .buffers, .programs, .goodwareIndex, .goodwareDescription, .packet, .packetJSON, .signature, .signatureJSON,
        .updates, .updatesJSON, .rules, .ruleFiles, .stix, .machineCode, .coreDump, .images, .unwindTables, .policy, .eventLog,
        .channel, .keyProcess, .backup,
    ]

    /// - Throws: `ValidationError` for an unknown name.
    static func named(_ name: String) throws -> FuzzParser {
        guard let parser = all.first(where: { $0.name == name }) else {
            throw ValidationError("there is no parser '\(name)'; there are \(all.map(\.name).joined(separator: ", "))")
        }
        return parser
    }
}
