// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import TestSupport
import Testing

@testable import HostPipeline

/// What a person is told of a detection.
@Suite struct EventWordsTests {
    static let packet = "00112233445566778899aabbccddeeff"

    /// A detection, the packet that was made of it, and what became of the packet.
    static func events(
        _ outcome: HostEvent.Name, action: ProtectiveAction = .blocked, _ change: (inout HostEvent) -> Void = { _ in }
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
        return events.compactMap { narrator.paragraph(after: $0)?.text }
    }

    @Test func `one paragraph says what, who, why, where it went, and how to exclude it`() {
        #expect(
            Self.told(Self.events(.spooled))
                == [
                    "denied (EPERM): sendto to 192.0.2.7:1434, by /usr/sbin/sample-service of sample 1.2-3 (process 4711, user www-data). "
                        + "Why: 0x176 lies in rwxp anonymous memory (direct-call-from-unbacked-memory, 100 points). "
                        + "Packet \(Self.packet) with its code (54 bytes) goes to the local center https://center.example:7443. "
                        + "If the program does this by design: epitope policy exclude 001122334455 --state /x"
                ])
    }

    @Test func `a host that is not enrolled hears where the packet waits`() {
        #expect(Self.told(Self.events(.spooled), Self.place([:]))[0].contains("waits in /x: this host is not enrolled (epitope enroll)."))
    }

    @Test func `what is not sent is said with its reason`() {
        #expect(
            Self.told(Self.events(.duplicate) { $0.of = "ff" })[0].contains("Nothing is sent: the same was reported before (packet ff)."))
        #expect(
            Self.told(Self.events(.overQuota) { $0.message = "the next packet is possible at T" })[0]
                .contains("Nothing is sent now: the quota of packets is used up: the next packet is possible at T."))
        let failed = Self.told(Self.events(.failed) { ($0.code, $0.message) = ("disk-full", "no space is left") })
        #expect(failed[0].contains("Nothing is sent: no space is left [disk-full]."))
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
