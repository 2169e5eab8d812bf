// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import FoundationEssentials
import HostFrontEnd
import PacketCoding

/// `epitope packet`: looks at an extracted packet.
struct PacketCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "packet", abstract: "Look at an extracted packet.", subcommands: [PacketShowCommand.self])
}

/// `epitope packet show`.
struct PacketShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Check an encoded packet as a center would, and print it as JSON.")

    @Argument(help: ArgumentHelp("The file with the packet, as it goes over the wire.", valueName: "file"))
    var file: String

    func run() async throws {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: file))
        } catch {
            throw EpitopeError(
                EpitopeError.Code("file-unreadable"), "\(file) can't be read", remedy: "name a file that is there")
        }
        Console.say(try ExtractedPacket(encoded: Array(data)).json(pretty: true))
    }
}
