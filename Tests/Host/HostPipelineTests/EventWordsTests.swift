// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import TestSupport
import Testing

@testable import HostPipeline

/// What a person is told of a detection.
@Suite struct EventWordsTests {
    static let packet = "00112233445566778899aabbccddeeff"

    /// A detection, the packet that was made of it, and what became of the packet.
    static func events(
        _ outcome: HostEvent.Name, action: ProtectiveAction = .blocked, packet: String = packet,
        _ change: (inout HostEvent) -> Void = { _ in }
    ) -> [HostEvent] {
        var detection = TestHost.call(0)
        detection.action = action
        let time = EventTime(milliseconds: 1_764_427_132_123)
        var last = HostEvent(outcome, time: time, packet: packet)
        change(&last)
        return [
            HostEvent(detection, time: time), HostEvent(packet: packet, of: detection, process: detection.process, time: time), last,
        ]
    }

    static func place(_ centers: [String: String] = ["local": "https://center.example:7443"]) -> DetectionNarrator.Place {
        .init(centers: centers, destinations: ["local"], options: ["--state", "/x"], directory: "/x")
    }

    static func told(_ events: [HostEvent], _ place: DetectionNarrator.Place = place()) -> [String] {
        var narrator = DetectionNarrator(place)
        let told = events.flatMap { narrator.paragraphs(after: $0) }
        return (told + narrator.paragraphs(nowMilliseconds: 0, atEnd: true)).map(\.text)
    }

    @Test func `one paragraph says what, who, why, where it went, and how to exclude it`() {
        #expect(
            Self.told(Self.events(.spooled) + [Self.news(.sent, packet: Self.packet)])
                == [
                    "denied (EPERM): sendto to 192.0.2.7:1434, by /usr/sbin/sample-service of sample 1.2-3 (process 4711, user www-data). "
                        + "Why: 0x176 lies in rwxp anonymous memory (direct-call-from-unbacked-memory, 100 points). "
                        + "Packet \(Self.packet) with its code (54 bytes) was sent to the local center https://center.example:7443. "
                        + "If the program does this by design: epitope policy exclude 001122334455 --state /x"
                ])
    }

    @Test func `a paragraph says what of the code leaves the host`() {
        func told(_ change: (inout HostEvent) -> Void, reduced: String? = nil) -> String {
            var events = Self.events(.spooled)
            change(&events[1])
            if let reduced {
                var event = HostEvent(.reduced, time: events[1].time, packet: Self.packet)
                event.message = reduced
                events.insert(event, at: 2)
            }
            return Self.told(events + [Self.news(.sent, packet: Self.packet)]).joined()
        }
        #expect(told { $0.signatureBytes = 32 }.contains(" with its signature (32 bytes), and none of its code, was sent to "))
        let reduced = told({ _ in }, reduced: "its signature goes, and none of its code")
        #expect(
            reduced.contains(", of which beyond the link's budget its signature goes, and none of its code, was sent to "), "\(reduced)")
        #expect(!reduced.contains("with its code"))
    }

    @Test func `a paragraph and a line of the log say what became of the code in its process`() {
        var detection = TestHost.call(0)
        let time = EventTime(milliseconds: 1_764_427_132_123)
        #expect(HostEvent(detection, time: time).cut == nil)
        detection.cut = .failed(.sharedReadOnly)
        let event = HostEvent(detection, time: time)
        #expect(event.cut == "failed: shared-read-only")
        #expect(
            event.inWords.hasSuffix(
                " points); its code could NOT be overwritten in the process: it lies in shared memory that the process itself may not write"
            ))
        let events = Self.events(.spooled).map { event in
            var event = event
            if event.codeBytes != nil { event.cut = CodeCut.done.name }
            return event
        }
        #expect(Self.told(events).first?.contains(" points). Its code was overwritten in the process. Packet ") == true)
    }

    @Test func `a line of the log says why the process was inspected`() {
        var detection = TestHost.call(0)
        let time = EventTime(milliseconds: 1_764_427_132_123)
        #expect(!HostEvent(detection, time: time).inWords.contains("inspected"))
        #expect(HostEvent(detection, time: time).markedFor == nil)
        detection.markedFor = [.writtenByOther, .inherited]
        let event = HostEvent(detection, time: time)
        #expect(event.markedFor == ["written-by-other", "inherited"])
        #expect(event.inWords.hasSuffix(" points); inspected for: written-by-other, inherited"))
    }

    @Test func `a host that is not enrolled hears where the packet waits`() {
        #expect(Self.told(Self.events(.spooled), Self.place([:]))[0].contains("waits in /x: this host is not enrolled (epitope enroll)."))
    }

    /// What is said of a packet that was spooled, after its name.
    private static func fate(_ events: [HostEvent], _ place: DetectionNarrator.Place = place()) -> [String] {
        told(events, place).map { text in
            text.components(separatedBy: "(54 bytes) ").last?.components(separatedBy: " If the program").first ?? text
        }
    }

    /// An event of a center.
    private static func news(
        _ event: HostEvent.Name, _ code: EpitopeError.Code? = nil, at destination: String = "local", packet: String? = nil
    ) -> HostEvent {
        var news = HostEvent(event, time: EventTime(milliseconds: 1_764_427_132_200), packet: packet)
        (news.destination, news.code, news.message) = (destination, code?.rawValue, code.map { _ in "it says why" })
        return news
    }

    @Test func `a center that is away, or turns the host away, is not said to get anything`() {
        let spooled = Self.events(.spooled)
        let center = "the local center https://center.example:7443"
        let away = "waits in /x: \(center) can't be reached now [center-unreachable]."
        #expect(Self.fate(spooled + [Self.news(.unreachable, .centerUnreachable, packet: Self.packet)]) == [away])
        // What lasts is told once a day: of later packets there is no such event.
        let before = [Self.news(.unreachable, .centerUnreachable, packet: "of another run")]
        #expect(Self.fate(before + spooled) == [away])
        #expect(Self.fate(before + [Self.news(.sent, packet: "of another run")] + spooled) == ["is on its way to \(center)."])
        #expect(Self.fate(spooled + [Self.news(.stopped, .revoked)]) == ["waits in /x: \(center) turns this host away [revoked]."])
        let refused = Self.news(.refused, .packetMalformed, packet: Self.packet)
        #expect(Self.fate(spooled + [refused]) == ["was refused by \(center): it says why [packet-malformed]."])
        #expect(Self.fate(spooled + [Self.news(.sent, packet: "another")]) == ["is on its way to \(center)."])
    }

    @Test func `each of two centers is told of by itself`() {
        let place = DetectionNarrator.Place(
            centers: ["local": "https://l:1"], destinations: ["local", "global"], options: [], directory: "/x")
        let words =
            "was sent to the local center https://l:1; it waits in /x: this host is not enrolled at the global center (epitope enroll)."
        let stopped = Self.news(.stopped, .destinationUnknown, at: "global")
        #expect(Self.fate(Self.events(.spooled) + [Self.news(.sent, packet: Self.packet)], place) == [words])
        #expect(Self.fate([stopped] + Self.events(.spooled) + [Self.news(.sent, packet: Self.packet)], place) == [words])
        // It was enrolled meanwhile, by another command.
        let enrolled = [Self.news(.identityChanged, at: "global"), Self.news(.sent, at: "global", packet: Self.packet)]
        #expect(
            Self.fate(Self.events(.spooled) + [Self.news(.sent, packet: Self.packet)] + enrolled, place) == [words],
            "it was told before that")
        #expect(
            Self.fate([enrolled[0]] + Self.events(.spooled) + [Self.news(.sent, packet: Self.packet), enrolled[1]], place) == [
                "was sent to the local center https://l:1; it was sent to the global center."
            ])
    }

    @Test func `what became of a packet at one center stays, while it waits for the other`() {
        let place = DetectionNarrator.Place(
            centers: ["local": "https://l:1", "global": "https://g:1"], destinations: ["local", "global"], options: [], directory: "/x")
        // With the next packet the local center is away.
        let away = [Self.news(.unreachable, .centerUnreachable, packet: "next"), Self.news(.sent, at: "global", packet: Self.packet)]
        let refused = Self.news(.refused, .packetMalformed, packet: Self.packet)
        let global = "; it was sent to the global center https://g:1."
        #expect(
            Self.fate(Self.events(.spooled) + [refused] + away, place)
                == ["was refused by the local center https://l:1: it says why [packet-malformed]" + global])
        #expect(
            Self.fate(Self.events(.spooled) + [Self.news(.sent, packet: Self.packet)] + away, place)
                == ["was sent to the local center https://l:1" + global])
    }

    @Test func `a paragraph waits two seconds for its packet's fate, and each is told once`() {
        var narrator = DetectionNarrator(Self.place())
        let events = Self.events(.spooled)
        let since = events[2].time.milliseconds
        #expect(events.flatMap { narrator.paragraphs(after: $0) }.isEmpty)
        #expect(narrator.paragraphs(nowMilliseconds: since + 1999).isEmpty)
        #expect(narrator.paragraphs(nowMilliseconds: since + 2000).map(\.detection.packet) == [Self.packet])
        #expect(narrator.paragraphs(nowMilliseconds: since + 4000, atEnd: true).isEmpty)
        #expect(narrator.paragraphs(after: Self.news(.sent, packet: Self.packet)).isEmpty)
    }

    @Test func `packets that wait for a fate are bounded, and the oldest is told first`() {
        var narrator = DetectionNarrator(Self.place())
        let told = (0..<66).flatMap { number in
            Self.events(.spooled, packet: "p\(number)").flatMap { narrator.paragraphs(after: $0) }
        }
        #expect(told.map(\.detection.packet) == ["p0", "p1"])
    }

    @Test func `what is not sent is said with its reason`() {
        #expect(
            Self.told(Self.events(.duplicate) { $0.of = "ff" })[0].contains("Nothing is sent: the same was reported before (packet ff)."))
        #expect(
            Self.told(Self.events(.overQuota) { $0.message = "the next packet is possible at T" })[0]
                .contains("Nothing is sent now: the quota of packets is used up: the next packet is possible at T."))
        let failed = Self.told(Self.events(.failed) { ($0.code, $0.message) = ("disk-full", "no space is left") })
        #expect(failed[0].contains("It could not be stored here, and is sent from memory: no space is left [disk-full]."))
    }

    @Test(arguments: HostEvent.Name.allCases.filter { $0 != .blocked }) func `watching never says that something was blocked or denied`(
        _ outcome: HostEvent.Name
    ) {
        let events = Self.events(outcome, action: .watched)
        for text in events.map(\.inWords) + Self.told(events) {
            #expect(!text.contains("blocked") && !text.contains("denied"), "\(text)")
        }
        #expect(events[0].event == .watched)
        #expect(events[0].inWords.hasPrefix("allowed, and reported: sendto to 192.0.2.7:1434 by /usr/sbin/sample-service"))
    }

    @Test func `names that would act on a terminal are shown as question marks`() {
        var event = Self.events(.spooled)[0]
        event.executable = "/tmp/\u{1B}[2J\u{202E}a\nb"
        event.target = "\u{9B}31m"
        #expect(event.inWords.contains("by /tmp/?[2J?a?b of sample 1.2-3 (process"))
        #expect(event.inWords.contains("sendto to ?31m by"))
        // A log is a file: the call's name in it need not be one.
        event.call = "con\u{7F}ect"
        #expect(event.callInWords == "con?ect to ?31m")
        event.target = nil
        #expect(event.callInWords == "con?ect")
        var limiter = ParagraphLimiter()
        for _ in 0..<100 { _ = limiter.tells(event, nowMilliseconds: 0) }
        #expect(limiter.sum(nowMilliseconds: 0, atEnd: true)?.contains("con?ect by /tmp/?[2J?a?b") == true)
    }

    @Test func `each call is told with what it is for`() {
        func words(_ call: CriticalCall, _ arguments: CallArguments) -> String {
            var detection = TestHost.call(0)
            (detection.call, detection.arguments) = (call, arguments)
            return HostEvent(detection, time: EventTime(milliseconds: 0)).callInWords
        }
        #expect(words(.execve, CallArguments(path: "/bin/sh")) == "execve of /bin/sh")
        #expect(words(.connect, CallArguments(peer: SocketEndpoint(address: "::1", port: 80))) == "connect to [::1]:80")
        #expect(words(.connect, CallArguments(peer: SocketEndpoint(address: "/run/x.socket", port: 0))) == "connect to /run/x.socket")
        #expect(words(.bind, CallArguments(local: SocketEndpoint(address: "0.0.0.0", port: 7))) == "bind on 0.0.0.0:7")
        #expect(words(.accept, CallArguments()) == "accept")
    }

    @Test func `after three paragraphs detections are summed up, and none is lost`() {
        var limiter = ParagraphLimiter()
        let detection = Self.events(.spooled)[0]
        var told = 0
        for time in Int64(0)..<10 where limiter.tells(detection, nowMilliseconds: time) { told += 1 }
        #expect(told == 3)
        let early = limiter.sum(nowMilliseconds: 100)
        #expect(early == nil)
        var other = detection
        for number in 0..<20 {
            other.executable = "/bin/\(number)"
            let isTold = limiter.tells(other, nowMilliseconds: 200)
            #expect(!isTold)
        }
        let sum = limiter.sum(nowMilliseconds: ParagraphLimiter.windowMilliseconds + 3)
        #expect(
            sum?.hasPrefix("27 more detections: 7 sendto by /usr/sbin/sample-service denied, 1 sendto by /bin/0 denied, ") == true,
            "\(sum ?? "")")
        #expect(sum?.hasSuffix(", 16 others") == true, "\(sum ?? "")")
        let rest = limiter.sum(nowMilliseconds: .max, atEnd: true)
        let isTold = limiter.tells(detection, nowMilliseconds: 30_000)
        #expect(rest == nil && isTold)
    }

    @Test func `detections without a pause are summed up again and again`() {
        var limiter = ParagraphLimiter()
        let detection = Self.events(.spooled)[0]
        var (told, sums) = (0, [String]())
        for time in stride(from: Int64(0), to: 60_000, by: 50) {
            if let sum = limiter.sum(nowMilliseconds: time) { sums.append(sum) }
            if limiter.tells(detection, nowMilliseconds: time) { told += 1 }
        }
        #expect(sums.count == 5 && told == 18, "\(sums)")
    }

    @Test func `at the end the sum does not wait`() {
        var limiter = ParagraphLimiter()
        let detection = Self.events(.spooled, action: .watched)[0]
        for _ in 0..<4 { _ = limiter.tells(detection, nowMilliseconds: 0) }
        let sum = limiter.sum(nowMilliseconds: 1, atEnd: true)
        #expect(sum == "1 more detections: 1 sendto by /usr/sbin/sample-service allowed")
    }
}
