// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterStore
import Correlation
import EpitopeModel
import Foundation
import GlobalCenter
import LocalCenter
import SettingsFiles
import SignatureProving
import SuricataDelivery
import TestSupport
import Testing

@Suite("Settings are read with their defaults and their bounds")
struct ConfigurationTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func file(_ json: String) throws -> String {
        let path = folder.path + "/settings.json"
        try Data(json.utf8).write(to: URL(filePath: path))
        return path
    }

    @Test func `an empty settings object gives the defaults`() throws {
        let settings = try LocalCenterConfiguration.load(path: file("{}"))
        #expect(settings == LocalCenterConfiguration())
        #expect(settings.quotaLimits == QuotaLimits(updates: 3, globalUpdates: 100, forwards: 3))
        #expect(settings.analysis.thresholdPoints == 100)
        #expect(try GlobalCenterConfiguration.load(path: file("{}")) == GlobalCenterConfiguration())
    }

    @Test func `settings are read`() throws {
        let settings = try LocalCenterConfiguration.load(
            path: file(#"{"updatesTo": "both", "first": "forward", "counter": "site", "suricata": {"socket": "/run/s"}}"#))
        #expect(settings.updatesTo == .both)
        #expect(settings.first == .forward)
        #expect(settings.counter == .site)
        #expect(settings.suricata == SuricataSettings(socketPath: "/run/s"))
    }

    @Test func `the settings that signatures are proven with are read`() throws {
        let json =
            #"{"goodware": "/g", "requireGoodware": false, "benignCaptures": ["/b/*"], "noiseShare": 0.8, "#
            + #""captureSeconds": 7, "proofSeconds": 70}"#
        var expected = ProverSettings(
            goodware: "/g", requireGoodware: false, benignCaptures: ["/b/*"], noiseShare: 0.8, proofTime: .seconds(70),
            captureTime: .seconds(7))
        #expect(try GlobalCenterConfiguration.load(path: file(json)).proving == expected)
        expected.captures = ["/c"]
        #expect(try LocalCenterConfiguration.load(path: file(String(json.dropLast()) + #", "captures": ["/c"]}"#)).proving == expected)
        #expect(LocalCenterConfiguration().proving == ProverSettings(), "an index is required unless somebody says otherwise")
    }

    @Test func `without an index the center says what to do`() {
        #expect(ProverSettings().warning?.contains("epitope goodware build") == true)
        #expect(ProverSettings(requireGoodware: false).warning == nil)
        #expect(ProverSettings(goodware: "/g").warning == nil)
    }

    @Test func `written settings are read back`() throws {
        var settings = LocalCenterConfiguration()
        settings.globalCenterState = "/var/lib/epitope/global"
        settings.suricata = SuricataSettings(socketPath: "/run/s", commandTimeout: 2.5)
        let json = String(decoding: try JSONEncoder().encode(settings), as: UTF8.self)
        #expect(try LocalCenterConfiguration.load(path: file(json)) == settings)
    }

    @Test(arguments: [
        #"{"forwading": false}"#, #"{"thresholdPoints": 0}"#, #"{"updatesTo": "moon"}"#, #"{"lifetimeDays": 9999}"#, "{", "[]",
        #"{"suricata": {"sockt": "/run/s"}}"#, #"{"maxPointsPerReporter": -1}"#, #"{"mostPointsOfReporter": 100}"#,
        #"{"captureSeconds": 0}"#, #"{"proofSeconds": 86401}"#, #"{"noiseShare": 0.9}"#, #"{"goodware": ""}"#,
        #"{"captures": [""]}"#, #"{"requireGoodware": 1}"#,
    ])
    func `a wrong setting is refused with the file's path`(json: String) throws {
        let path = try file(json)
        let error = #expect(throws: EpitopeError.self) { try LocalCenterConfiguration.load(path: path) }
        #expect(error?.code == .configurationInvalid)
        #expect(error?.message.contains(path) == true)
    }

    @Test(arguments: [
        (#"{"suricata": {"action": "blok"}}"#, "the setting 'suricata.action' is 'blok', which is not one of its values"),
        (#"{"suricata": {"sockt": "/run/s"}}"#, "the setting 'suricata.sockt' is not known"),
        (#"{"suricata": {"reloadTimeout": "long"}}"#, "'suricata.reloadTimeout'"),
    ])
    func `a wrong setting of an object is named with the object`(json: String, message: String) throws {
        let path = try file(json)
        let error = #expect(throws: EpitopeError.self) { try LocalCenterConfiguration.load(path: path) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
        // One error, not one in the text of another.
        #expect(error?.description.components(separatedBy: "[configuration-invalid]").count == 2, "\(error?.description ?? "")")
    }

    @Test(arguments: [#"{"thresholdHours": 0}"#, #"{"threshold": 5}"#, #"{"noiseShare": -0.1}"#, #"{"captures": []}"#])
    func `a global center's wrong setting is refused`(json: String) throws {
        let path = try file(json)
        let error = #expect(throws: EpitopeError.self) { try GlobalCenterConfiguration.load(path: path) }
        #expect(error?.code == .configurationInvalid)
    }

    @Test func `a missing file is reported`() {
        let error = #expect(throws: EpitopeError.self) { try LocalCenterConfiguration.load(path: folder.path + "/none") }
        #expect(error?.code == .configurationMissing)
    }
}
