// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation

/// Reads the event log again and again, each time what is new, also when the log is moved away and begun anew.
public struct EventLogReader {
    /// How often a follower looks.
    public static let interval = Duration.milliseconds(200)
    /// How much is read at a time, in bytes.
    private static let maxBytes = 64 << 20

    private let path: String
    private var file: FileDescriptor?
    private var offset = 0
    private var isFirst = true
    /// Lines that were no events of this version.
    public private(set) var unreadable = 0

    public init(directory: String) { path = directory + "/" + EventLog.fileName }

    /// The events since the last call; the first time, all that are still in the log.
    public mutating func next() -> [HostEvent] {
        var events: [HostEvent] = []
        if isFirst {
            isFirst = false
            if let bytes = try? FileContents.bytes(path + ".1", maxBytes: Self.maxBytes, followLinks: false) {
                events += decode(bytes[...])
            }
        }
        // What was written to the old file before it was moved away comes first.
        events += rest()
        let now = FileIdentity(path: path)
        let opened = file.flatMap { FileIdentity($0.number) }
        let isSame = now != nil && opened?.device == now?.device && opened?.inode == now?.inode
        if isSame, let opened, Int(opened.size) < offset { offset = 0 }
        if !isSame {
            file = try? FileDescriptor(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            offset = 0
        }
        return events + rest()
    }

    /// The whole lines behind the offset.
    private mutating func rest() -> [HostEvent] {
        guard let file, let size = (try? file.status().identity.size).map(Int.init), size > offset,
            let bytes = try? DescriptorIO.bytes(file.number, at: offset, count: min(size - offset, Self.maxBytes)),
            let end = bytes.lastIndex(of: UInt8(ascii: "\n"))
        else { return [] }
        offset += end + 1
        return decode(bytes[...end])
    }

    private mutating func decode(_ bytes: ArraySlice<UInt8>) -> [HostEvent] {
        let decoder = JSONDecoder()
        var events: [HostEvent] = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            if let event = try? decoder.decode(HostEvent.self, from: Data(line)) { events.append(event) } else { unreadable += 1 }
        }
        return events
    }
}
