// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

/// `epitope extract` without any center.
@Suite struct ExtractTests {
    @Test func `extract gives the published window of the published code`() async throws {
        let folder = try TemporaryFolder()
        let region = "\(folder.path)/region.bin"
        try Data(Samples.code.bytes).write(to: URL(filePath: region))
        let place = ["extract", "--base", "0x142", "--caller", "0x176", "--architecture", "x86-32", region]
        let text = try await epitope(place)
        #expect(text.status == 0 && text.output.contains(Hex.encode(Samples.callerWindow)))
        let json = try await epitope(place + ["-o", "json"])
        #expect(json.status == 0 && json.output.contains("\"pattern\" : \"\(Hex.encode(Samples.callerWindow))\""))
    }

    @Test func `extract refuses bad input with its code`() async throws {
        let folder = try TemporaryFolder()
        let region = "\(folder.path)/region.bin"
        try Data([1, 2, 3]).write(to: URL(filePath: region))
        expectFailure(try await epitope(["extract", "\(folder.path)/none"]), "file-unreadable")
        expectFailure(try await epitope(["extract", "--base", "0xzz", region]), "address-malformed")
        expectFailure(try await epitope(["extract", "--caller", "99", region]), "caller-outside-code")
        expectFailure(try await epitope(["extract", "-o", "yara", region]), "signature-unproven")
        try Data().write(to: URL(filePath: region))
        expectFailure(try await epitope(["extract", region]), "code-empty")
        try FileManager.default.removeItem(atPath: region)
        expectFailure(try await epitope(["extract", folder.path]), "no-samples")
        try Data([0xff, 0xff]).write(to: URL(filePath: "\(folder.path)/packet"))
        expectFailure(try await epitope(["extract", folder.path]), "packet-malformed")
    }
}
