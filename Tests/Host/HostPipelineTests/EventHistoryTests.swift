// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import TestSupport
import Testing

@testable import HostPipeline

/// The event log read again: for a person, and for the exclusions that are made of it.
@Suite struct EventHistoryTests {
    static let day = CalendarDay("2999-12-31")!

    static func made(_ packet: String, _ kinds: [EvidenceKind] = [.libraryCall], _ change: (inout HostEvent) -> Void = { _ in })
        -> HostEvent
    {
        var event = EventWordsTests.events(.spooled)[1]
        event.packet = packet
        event.evidence = kinds.map(\.rawValue)
        change(&event)
        return event
    }

    static func propose(
        _ event: HostEvent, by subject: ExclusionProposal.Subject = .hash, kinds: [EvidenceKind] = []
    ) throws(EpitopeError) -> [Exclusion] {
        try ExclusionProposal.exclusions(for: event, by: subject, kinds: kinds, reportAt: 40, reason: "r", until: day)
    }

    @Test func `a detection is found by the first digits of its packet, or as the last one`() throws {
        let history = EventHistory([Self.made("aa11"), Self.made("aa22"), Self.made("bb33")])
        #expect(try history.detection("aa2").packet == "aa22")
        #expect(try history.detection("BB").packet == "bb33")
        #expect(try history.detection("last").packet == "bb33")
        for name in ["aa", "cc", "", "aa222"] {
            #expect(#expect(throws: EpitopeError.self) { try history.detection(name) }?.code == .eventUnknown)
        }
        #expect(#expect(throws: EpitopeError.self) { try EventHistory([]).detection("last") }?.code == .eventUnknown)
    }

    @Test func `an exclusion holds for the program with its hash unless something else is asked for`() throws {
        let event = Self.made("aa")
        let hash = String(repeating: "ab", count: 32)
        #expect(try Self.propose(event).map(\.subject) == [.executable(path: "/usr/sbin/sample-service", sha256: hash)])
        #expect(try Self.propose(event, by: .path).map(\.subject) == [.executable(path: "/usr/sbin/sample-service", sha256: nil)])
        #expect(try Self.propose(event, by: .package).map(\.subject) == [.package("sample")])
        #expect(try Self.propose(event, by: .user).map(\.subject) == [.user("www-data")])
        // In a container a name may be another user's than on the machine.
        let contained = Self.made("aa") { ($0.user, $0.userID, $0.container) = ("root", 100_000, String(repeating: "0", count: 64)) }
        #expect(try Self.propose(contained, by: .user).map(\.subject) == [.user("100000")])
        for subject in ExclusionProposal.Subject.allCases {
            let bare = Self.made("aa") {
                ($0.executable, $0.sha256, $0.package, $0.user, $0.userID, $0.container) = (nil, nil, nil, nil, nil, nil)
            }
            #expect(#expect(throws: EpitopeError.self) { try Self.propose(bare, by: subject) }?.code == .eventNotExcludable)
        }
    }

    @Test func `each kind of evidence that counts gets its exclusion, and code that sends itself must be named`() throws {
        #expect(
            try Self.propose(Self.made("aa", [.directCall, .memoryFile, .deeperInStack])).map(\.evidence) == [.directCall, .memoryFile])
        let worm = Self.made("aa", [.directCall, .sendsItself])
        let error = #expect(throws: EpitopeError.self) { try Self.propose(worm) }
        #expect(error?.code == .eventNotExcludable && error?.remedy.contains("--evidence code-that-sends-itself") == true)
        #expect(try Self.propose(worm, kinds: [.sendsItself, .directCall]).count == 2)
        #expect(throws: EpitopeError.self) { try Self.propose(worm, kinds: [.libraryCall]) }
    }

    @Test func `what an exclusion would have hidden is what has no other evidence left`() throws {
        let history = EventHistory([
            Self.made("01"), Self.made("02", [.libraryCall, .memoryFile]), Self.made("03", [.libraryCall, .deeperInStack]),
            Self.made("04") { $0.sha256 = String(repeating: "00", count: 32) }, Self.made("05", [.memoryFile]),
            Self.made("06") { $0.event = .blocked }, Self.made("07") { $0.evidence = nil },
        ])
        let byHash = try Self.propose(Self.made("01"))
        #expect(history.hidden(by: byHash, reportAt: 40).compactMap(\.packet) == ["01", "03"])
        #expect(history.hidden(by: byHash, reportAt: 10).compactMap(\.packet) == ["01"])
        let byUser = try Self.propose(Self.made("01"), by: .user)
        #expect(history.hidden(by: byUser, reportAt: 40).compactMap(\.packet) == ["01", "03", "04"])
    }

    @Test func `a package that was found late is its packet's`() throws {
        var late = HostEvent(.packageFound, time: EventTime(milliseconds: 0), packet: "01")
        (late.package, late.packageVersion) = ("sample", "1.2")
        let nameless = ["01", "02"].map { Self.made($0) { ($0.package, $0.packageVersion) = (nil, nil) } }
        let history = EventHistory(nameless + [late])
        #expect(try history.detection("01").packageVersion == "1.2")
        #expect(try Self.propose(history.detection("01"), by: .package).map(\.subject) == [.package("sample")])
        #expect(try history.detection("02").package == nil)
    }

    @Test func `a refusal is known until something was sent`() {
        func event(_ name: HostEvent.Name, _ code: String? = nil) -> HostEvent {
            var event = HostEvent(name, time: EventTime(milliseconds: 0))
            (event.destination, event.code) = ("local", code)
            return event
        }
        #expect(EventHistory([event(.sent), event(.stopped, "revoked")]).refusals["local"]?.code == "revoked")
        #expect(EventHistory([event(.unreachable, "x"), event(.sent)]).refusals.isEmpty)
    }

    @Test func `a reader follows the log over its rotation and loses no line`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/\(EventLog.fileName)"
        var reader = EventLogReader(directory: folder.path)
        func expectNext(_ packets: [String], sourceLocation: SourceLocation = #_sourceLocation) {
            let found = reader.next().compactMap(\.packet)
            #expect(found == packets, sourceLocation: sourceLocation)
        }
        expectNext([])
        func write(_ packets: [String], log: EventLog) {
            for packet in packets { log.append(HostEvent(.sent, time: EventLog.now(), packet: packet)) }
        }
        let first = EventLog(directory: folder.path)
        write(["1", "2"], log: first)
        expectNext(["1", "2"])
        write(["3"], log: first)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        let second = EventLog(directory: folder.path)
        write(["4"], log: second)
        expectNext(["3", "4"])
        let half = FileHandle(forWritingAtPath: path)
        half?.seekToEndOfFile()
        half?.write(Data("{\"event\":\"sent\",".utf8))
        expectNext([])
        half?.write(Data("\"time\":0,\"packet\":\"5\"}\nno event\n".utf8))
        expectNext(["5"])
        #expect(reader.unreadable == 1)
        #expect(EventHistory(directory: folder.path).events.compactMap(\.packet) == ["1", "2", "3", "4", "5"])
    }
}
