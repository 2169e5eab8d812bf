// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import FoundationEssentials
import HostFrontEnd
import PacketCoding

/// `epitope packet`: shows an extracted packet.
struct PacketCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "packet", abstract: "Show an extracted packet.", subcommands: [PacketShowCommand.self])
}

/// `epitope packet show`.
struct PacketShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Check an encoded packet as a center does, and print it as JSON.")

    @Argument(help: ArgumentHelp("A file with an encoded packet.", valueName: "file"))
    var file: String

    func run() async throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: file))
        } catch {
            throw EpitopeError(
                .fileUnreadable, "\(file) can't be read", remedy: "name a file that exists and that you may read")
        }
        Console.print(try ExtractedPacket(encoded: Array(data)).json(pretty: true))
    }
}
