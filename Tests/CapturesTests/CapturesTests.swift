import Captures
import EpitopeModel
import Foundation
import StreamReassembly
import Testing
import TestSupport

@Suite("Captures are read")
struct CapturesTests {
    private let frames = [
        NetworkFrame.ipv4(1, 2, inside: 17, NetworkFrame.udpDatagram(from: 4000, to: 53, [1, 2, 3])),
        NetworkFrame.tcp(from: (1, 5000), to: (2, 80), sequence: 1, Array("GET /".utf8)),
    ]

    private func read(_ path: String) throws -> (streams: [CapturedStream], summary: CaptureReader.Summary) {
        var streams: [CapturedStream] = []
        let summary = try CaptureReader.streams(in: path) {
            streams.append($0)
            return true
        }
        return (streams, summary)
    }

    @Test func givesTheStreamsOfAFile() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.pcap"
        try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(fileURLWithPath: path))
        let (streams, summary) = try read(path)
        #expect(streams.map(\.bytes) == [[1, 2, 3], Array("GET /".utf8)])
        #expect(streams[0].firstMilliseconds == 1_700_000_000_000)
        #expect(summary.frames == 2 && !summary.isCutShort)
    }

    @Test func aFileThatIsBeingWrittenGivesWhatIsThere() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.pcap"
        try Data(NetworkFrame.capture(frames, link: 101).dropLast(3)).write(to: URL(fileURLWithPath: path))
        let (streams, summary) = try read(path)
        #expect(streams.map(\.bytes) == [[1, 2, 3]])
        #expect(summary.isCutShort)
    }

    @Test func theReaderCanStop() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.pcap"
        try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(fileURLWithPath: path))
        var count = 0
        try CaptureReader.streams(in: path) { _ in
            count += 1
            return false
        }
        #expect(count == 1)
    }

    @Test func aRingIsReadFromItsOldestFile() throws {
        let folder = try TemporaryFolder()
        for (index, name) in ["log.pcap.9", "log.pcap.10", "other"].enumerated() {
            let path = folder.path + "/" + name
            try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1000 + Double(index))], ofItemAtPath: path)
        }
        let ring = try CaptureReader.files(of: folder.path + "/log.pcap.*")
        #expect(ring.map { $0.split(separator: "/").last } == ["log.pcap.9", "log.pcap.10"])
        #expect(try CaptureReader.files(of: folder.path).count == 3)
        #expect(try CaptureReader.files(of: ring[0]) == [ring[0]])
    }

    @Test func whatIsNoCaptureIsRefused() throws {
        let folder = try TemporaryFolder()
        let text = folder.path + "/a.txt"
        try Data("no capture at all, just text".utf8).write(to: URL(fileURLWithPath: text))
        let odd = folder.path + "/b.pcap"
        try Data(NetworkFrame.capture(frames, link: 105)).write(to: URL(fileURLWithPath: odd))
        for path in [text, odd, folder.path + "/missing"] {
            let error = #expect(throws: EpitopeError.self) { try read(path) }
            #expect(error?.code == .captureUnreadable)
        }
        let error = #expect(throws: EpitopeError.self) { try CaptureReader.files(of: folder.path + "/none*") }
        #expect(error?.code == .captureUnreadable)
    }
}
