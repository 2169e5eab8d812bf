// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import Foundation
import HostFrontEnd
import InputFiles
import PacketCoding

/// `epitope packet`: shows an extracted packet.
struct PacketCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "packet", abstract: "Show an extracted packet.", subcommands: [PacketShowCommand.self])
}

/// `epitope packet show`.
struct PacketShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Check a packet as a center does, and print it.",
        discussion: """
            The packet may be in its wire format, or JSON as this command and a center's `show` print it. Exit status: 0 if a \
            center would take it, 1 if not.
            """)

    @Argument(help: ArgumentHelp("A file with a packet, in its wire format or as JSON.", valueName: "file"))
    var file: String

    @Flag(help: "Write the packet in its wire format instead of JSON.")
    var wire = false

    func run() async throws {
        let packet: ExtractedPacket
        do throws(EpitopeError) {
            packet = try Self.packet(in: try InputFile(file))
        } catch {
            throw error.about(file)
        }
        if wire {
            FileHandle.standardOutput.write(Data(packet.encoded()))
        } else {
            Console.print(packet.json(pretty: true))
        }
    }

    private static func packet(in file: InputFile) throws(EpitopeError) -> ExtractedPacket {
        switch file.kind {
        case .json:
            let bytes = try file.bytes(maxBytes: ExtractInput.maxJSONBytes)
            if let what = JSONContent(bytes).description {
                throw .unusable(file, asA: "a packet: it holds \(what)", remedy: "name a packet, as a center's show prints it")
            }
            return try ExtractedPacket(json: String(decoding: bytes, as: UTF8.self))
        case .packet, .other: return try ExtractedPacket(encoded: try file.bytes(maxBytes: ExtractInput.maxCodeBytes))
        default: throw .unusable(file, asA: "a packet")
        }
    }
}
