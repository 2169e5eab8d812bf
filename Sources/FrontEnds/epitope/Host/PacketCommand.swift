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
            The packet may be in its wire format, or JSON as this command and a center's `show --json` print it. Exit status: 0 if a \
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
            Console.printBytes(packet.encoded())
        } else {
            Console.print(Console.printable(json: packet.json(pretty: true)))
        }
    }

    private static let remedy =
        "name a packet: JSON as a center's show --json prints it, or the wire format as this command writes it with --wire"

    private static func packet(in file: InputFile) throws(EpitopeError) -> ExtractedPacket {
        switch file.kind {
        case .json:
            let bytes = try file.bytes(maxBytes: ExtractInput.maxJSONBytes)
            if let what = JSONContent(bytes).description {
                throw .unusable(file, asA: "a packet: it holds \(what)", remedy: remedy)
            }
            return try ExtractedPacket(json: String(decoding: bytes, as: UTF8.self))
        case .packet, .other:
            let bytes = try file.bytes(maxBytes: ExtractInput.maxCodeBytes)
            do throws(EpitopeError) {
                return try ExtractedPacket(encoded: bytes)
            } catch {
                // The reader has a file, not a program that sends.
                throw EpitopeError(error.code, error.message, remedy: remedy)
            }
        case .empty, .text, .document: throw .unusable(file, asA: "a packet", remedy: remedy)
        default: throw .unusable(file, asA: "a packet")
        }
    }
}
