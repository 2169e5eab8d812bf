// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

/// Whether a warning in our own code is an error. `EPITOPE_ALLOW_WARNINGS=1` turns that off, for a compiler that warns of more
/// than the one that the project is built with.
let warningsAreErrors = Context.environment["EPITOPE_ALLOW_WARNINGS"] != "1"

/// Settings that every Swift target builds with: Swift 6 mode comes from the tools version, these make the
/// existing imports and existentials explicit.
let strict: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ] + (warningsAreErrors ? [.treatAllWarnings(as: .error), .treatWarning("DeprecatedDeclaration", as: .warning)] : [])

/// Settings that every C target builds with.
let strictC: [CSetting] = [.enableWarning("all")] + (warningsAreErrors ? [.treatAllWarnings(as: .error)] : [])

/// A pure module: decisions as values. It may depend on other pure modules only (Scripts/check-arrows).
func pure(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// A shell module: it does the I/O around the pure ones.
func shell(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// A C library of the system.
func library(_ name: String, pkgConfig: String, package: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

/// - Parameter exclude: folders of snapshots, which tests read where they lie.
func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport"], exclude: exclude, swiftSettings: strict)
}

/// The folders of Sources and Tests in the order of the flow: each target lies in its group's folder, under its own name.
func group(_ folder: String, _ targets: [Target]) -> [Target] {
    for target in targets where target.path == nil { target.path = "\(folder)/\(target.name)" }
    return targets
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let swiftASN1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")

let package = Package(
    name: "epitope",
    products: [
        .executable(name: "epitope", targets: ["epitope"]),
        .executable(name: "epitope-agent", targets: ["epitope-agent"]),
        // For tests: libraries that a program is started with.
        .library(name: "SteadyTimers", type: .dynamic, targets: ["SteadyTimers"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The kernel program, compiled and embedded.
        [
            .executableTarget(name: "embed-program", path: "Plugins/EmbedProgram", swiftSettings: strict),
            .plugin(name: "KernelProgram", capability: .buildTool(), dependencies: ["embed-program"]),
        ],

        // The words, and their wire form.
        group(
            "Sources/Model",
            [
                pure("EpitopeModel"),
                pure("Signatures", ["EpitopeModel", crypto]),
                pure("PacketCoding", ["EpitopeModel", "Signatures", protobuf]),
            ]),

        // Shims over system calls, and libraries of the system.
        group(
            "Sources/C",
            [
                library("CArchive", pkgConfig: "libarchive", package: "libarchive-dev"),
                library("CBpf", pkgConfig: "libbpf", package: "libbpf-dev"),
                library("CCapstone", pkgConfig: "capstone", package: "libcapstone-dev"),
                library("CHyperscan", pkgConfig: "libhs", package: "libhyperscan-dev"),
                .systemLibrary(name: "CPrefetch"),
                library("CZlib", pkgConfig: "zlib", package: "zlib1g-dev"),
                .target(name: "CCurl", cSettings: strictC),
                .target(name: "CFileMaps", cSettings: strictC),
                .target(name: "CKernelProgram", dependencies: ["CBpf"], cSettings: strictC),
                .target(name: "CPostgres", cSettings: strictC),
                .target(name: "CPrivileges", cSettings: strictC),
                .target(name: "CProcessFiles", cSettings: strictC),
                .target(name: "CSeccomp", cSettings: strictC),
            ]),

        // What every side needs.
        group(
            "Sources/Support",
            [
                shell("FileAccess", ["CFileMaps", "CProcessFiles"]),
                shell("Scheduling", []),
                shell("SQLiteStore", ["EpitopeModel", "FileAccess", grdb]),
                shell("PostgresStore", ["EpitopeModel", "CPostgres", "Scheduling"]),
                shell("SettingsFiles", ["EpitopeModel"]),
                shell("SettingsYAML", ["EpitopeModel", "FileAccess", "SettingsFiles", yams]),
                shell("ProgramRuns", []),
            ]),

        // From a critical call to the spool.
        group(
            "Sources/Host",
            [
                pure("BehaviourBlocking", ["EpitopeModel"]),
                pure("UnwindTables"),
                shell("ProcessInspection", ["EpitopeModel", "CProcessFiles", "FileAccess"]),
                shell(
                    "SeccompBackend",
                    [
                        "EpitopeModel", "CProcessFiles", "CSeccomp", "FileAccess", "Scheduling", "BehaviourBlocking", "UnwindTables",
                        "ProcessInspection",
                    ]),
                .target(
                    name: "KernelBackend",
                    dependencies: [
                        "EpitopeModel", "CKernelProgram", "CProcessFiles", "FileAccess", "Scheduling", "BehaviourBlocking", "UnwindTables",
                        "ProcessInspection",
                    ], swiftSettings: strict, plugins: ["KernelProgram"]),
                shell(
                    "ProcessContext",
                    ["EpitopeModel", "CProcessFiles", "FileAccess", "Scheduling", "BehaviourBlocking", crypto]),
                shell(
                    "HostPolicy",
                    ["EpitopeModel", "FileAccess", "SettingsFiles", "BehaviourBlocking", "ProcessInspection", "ProcessContext", crypto]),
                pure("Novelty", ["EpitopeModel", crypto]),
                shell("HostStore", ["EpitopeModel", "Signatures", "PacketCoding", "FileAccess", "SQLiteStore", "Novelty", grdb]),
                shell(
                    "HostPipeline",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "FileAccess", "Scheduling", "BehaviourBlocking", "ProcessContext",
                        "Novelty", "HostStore", logging,
                    ]),
                shell("AgentLifeCycle", ["EpitopeModel", "CPrivileges", "CProcessFiles", "FileAccess"]),
            ]),

        // From host to center to world.
        group(
            "Sources/Channel",
            [
                shell(
                    "SecureChannel",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "FileAccess", "Scheduling", asyncHTTPClient, crypto, nioCore,
                        nioPosix, nioSSL,
                        nioHTTP1,
                        swiftASN1, x509,
                    ]),
                shell(
                    "KeyProcess",
                    ["EpitopeModel", "CPrivileges", "CProcessFiles", "FileAccess", "Scheduling", "SecureChannel", crypto]),
                shell("AgentUpdates", ["EpitopeModel", "FileAccess", "Scheduling", "AgentLifeCycle", "SecureChannel", crypto]),
                shell("Relay", ["EpitopeModel", "SecureChannel", nioCore, nioPosix]),
            ]),

        // Signatures in the languages of engines.
        group(
            "Sources/Rules",
            [
                pure("Rendering", ["EpitopeModel", "Signatures", crypto])
            ]),

        // From packets to proven signatures.
        group(
            "Sources/SignatureGeneration",
            [
                pure("Disassembly", ["EpitopeModel", "CCapstone"]),
                pure("InputFiles", ["EpitopeModel", "Disassembly"]),
                pure("StreamReassembly", ["EpitopeModel"]),
                shell("Captures", ["EpitopeModel", "CZlib", "FileAccess", "Scheduling", "StreamReassembly"]),
                pure("ProtocolBuffers", ["EpitopeModel", "Signatures", "CZlib", "StreamReassembly"]),
                pure("WireMatching", ["EpitopeModel", "Signatures", "StreamReassembly"]),
                pure("GoodwareIndex", ["Signatures", "CPrefetch"]),
                shell("PatternScan", ["EpitopeModel", "Signatures", "CHyperscan"]),
                shell("GoodwareReading", ["EpitopeModel", "FileAccess", "GoodwareIndex", crypto]),
                shell(
                    "GoodwareFiles",
                    [
                        "EpitopeModel", "Signatures", "CArchive", "CPrefetch", "FileAccess", "InputFiles", "StreamReassembly", "Captures",
                        "GoodwareIndex", "GoodwareReading", "PatternScan", crypto,
                    ]),
                pure("TokenSequences", ["Signatures"]),
                pure("SignatureMaking", ["EpitopeModel", "Signatures", "Disassembly", "GoodwareIndex", "TokenSequences"]),
                shell(
                    "SignatureProving",
                    [
                        "EpitopeModel", "Signatures", "FileAccess", "Rendering", "StreamReassembly", "Captures", "ProtocolBuffers",
                        "WireMatching",
                        "GoodwareIndex", "GoodwareReading", "GoodwareFiles", "TokenSequences", "SignatureMaking",
                    ]),
            ]),

        // From a report to a live rule, and to the world.
        group(
            "Sources/Center",
            [
                pure("Correlation", ["EpitopeModel", "Signatures"]),
                pure("CenterMetrics"),
                pure("Notifications", ["EpitopeModel", "Signatures", crypto]),
                shell(
                    "SuricataDelivery",
                    ["EpitopeModel", "Signatures", "FileAccess", "Scheduling", "SettingsFiles", "ProgramRuns", "Rendering"]),
                shell("AgentPackages", ["EpitopeModel", "CArchive", "FileAccess", "SecureChannel", crypto]),
                shell(
                    "CenterStore",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "FileAccess", "Scheduling", "SQLiteStore", "PostgresStore", "Novelty",
                        "SecureChannel", "Rendering", "Correlation", "CenterMetrics", "Notifications", crypto, grdb,
                    ]),
                shell(
                    "CenterBackup", ["EpitopeModel", "FileAccess", "SecureChannel", "CenterStore", crypto]),
                shell(
                    "NotificationDelivery",
                    [
                        "EpitopeModel", "Signatures", "CCurl", "FileAccess", "Scheduling", "SettingsFiles", "CenterMetrics",
                        "Notifications", "CenterStore", asyncHTTPClient, logging, nioCore, nioHTTP1, nioPosix, nioSSL,
                    ]),
                shell(
                    "CenterAnalysis",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "FileAccess", "Scheduling", "SettingsFiles", "StreamReassembly",
                        "Captures", "ProtocolBuffers", "WireMatching", "PatternScan", "TokenSequences", "SignatureMaking",
                        "SignatureProving",
                        "Correlation", "CenterMetrics", "CenterStore",
                    ]),
                shell(
                    "CenterServer",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "Scheduling", "SecureChannel", "CenterMetrics", crypto, hummingbird,
                        httpTypes,
                        hummingbirdCore, logging,
                        nioCore, nioSSL, serviceLifecycle,
                    ]),
                shell(
                    "CenterMonitoring",
                    [
                        "EpitopeModel", "FileAccess", "Scheduling", "SettingsFiles", "SecureChannel", "CenterMetrics", "CenterStore",
                        "CenterServer", logging, nioCore, nioHTTP1, nioPosix,
                    ]),
                shell(
                    "LocalCenter",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "Scheduling", "SettingsFiles", "SettingsYAML", "SecureChannel",
                        "Rendering",
                        "Captures", "SignatureProving",
                        "Correlation", "SuricataDelivery", "CenterMetrics", "CenterStore", "NotificationDelivery", "CenterAnalysis",
                        "CenterServer", "CenterMonitoring", logging, serviceLifecycle,
                    ]),
                shell(
                    "GlobalCenter",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "Scheduling", "SettingsFiles", "SettingsYAML", "SecureChannel",
                        "SignatureProving",
                        "CenterMetrics", "CenterStore", "NotificationDelivery", "CenterAnalysis", "CenterServer", "CenterMonitoring",
                        logging, serviceLifecycle,
                    ]),
            ]),

        // The command lines.
        group(
            "Sources/FrontEnds",
            [
                shell(
                    "HostFrontEnd",
                    [
                        "EpitopeModel", "Signatures", "FileAccess", "Scheduling", "BehaviourBlocking", "KernelBackend", "ProcessContext",
                        "HostPolicy",
                        "Novelty", "HostStore", "HostPipeline", "AgentLifeCycle", "SecureChannel", "GoodwareIndex", "GoodwareReading",
                        argumentParser, logging,
                    ]),
                .executableTarget(
                    name: "epitope-agent",
                    dependencies: [
                        "EpitopeModel", "FileAccess", "BehaviourBlocking", "SeccompBackend", "KernelBackend", "ProcessContext",
                        "HostPolicy", "AgentLifeCycle", "HostPipeline", "HostFrontEnd", argumentParser, logging, unixSignals,
                    ], swiftSettings: strict),
                .executableTarget(
                    name: "epitope",
                    dependencies: [
                        "EpitopeModel", "Signatures", "PacketCoding", "FileAccess", "Scheduling", "SettingsFiles", "SettingsYAML",
                        "ProgramRuns",
                        "BehaviourBlocking", "SeccompBackend",
                        "KernelBackend",
                        "ProcessInspection", "ProcessContext", "HostPolicy", "HostStore", "HostPipeline", "AgentLifeCycle", "SecureChannel",
                        "KeyProcess", "AgentUpdates", "AgentPackages", "Relay",
                        "CPrivileges", "CProcessFiles", "Rendering", "Disassembly", "InputFiles", "StreamReassembly", "Captures",
                        "WireMatching",
                        "GoodwareIndex",
                        "PatternScan",
                        "ProtocolBuffers", "GoodwareReading", "GoodwareFiles", "SignatureMaking",
                        "SignatureProving", "Correlation", "SuricataDelivery", "CenterStore", "CenterBackup", "CenterAnalysis",
                        "CenterServer", "CenterMonitoring", "Notifications", "NotificationDelivery",
                        "LocalCenter", "GlobalCenter", "HostFrontEnd", argumentParser, logging, serviceLifecycle, unixSignals,
                    ], swiftSettings: strict),
            ]),

        // Inert machine code and small programs that tests and the demonstration run. None of them is a product.
        group(
            "Fixtures",
            [
                .target(name: "EpitopeStubs", path: "Fixtures/Stubs", cSettings: strictC),
                .executableTarget(name: "call-stub", dependencies: ["EpitopeStubs"], path: "Fixtures/CallStub", cSettings: strictC),
                .executableTarget(name: "return-stub", path: "Fixtures/ReturnStub", cSettings: strictC),
                .executableTarget(
                    name: "memory-program", dependencies: ["EpitopeStubs"], path: "Fixtures/MemoryProgram", cSettings: strictC),
                .executableTarget(name: "inject-stub", dependencies: ["EpitopeStubs"], path: "Fixtures/InjectStub", cSettings: strictC),
                .executableTarget(name: "reach-stub", dependencies: ["EpitopeStubs"], path: "Fixtures/ReachStub", cSettings: strictC),
                .executableTarget(name: "call-series", dependencies: ["EpitopeStubs"], path: "Fixtures/CallSeries", cSettings: strictC),
                .executableTarget(name: "served-stub", dependencies: ["EpitopeStubs"], path: "Fixtures/ServedStub", cSettings: strictC),
                .target(name: "SampleNet", path: "Fixtures/SampleNet", cSettings: strictC),
                .executableTarget(
                    name: "sample-service", dependencies: ["EpitopeStubs", "SampleNet"], path: "Fixtures/SampleService", cSettings: strictC),
                .executableTarget(
                    name: "sample-sender", dependencies: ["EpitopeStubs", "SampleNet"], path: "Fixtures/SampleSender", cSettings: strictC),
            ]),

        // What tests and benchmarks share.
        group(
            "Tests/Support",
            [
                shell("TestSupport", ["EpitopeModel"]),
                shell("KernelWatch", ["EpitopeModel", "BehaviourBlocking", "KernelBackend", "TestSupport"]),
                shell("EngineAcceptance", ["EpitopeModel", "Signatures", "ProgramRuns", "Rendering"]),
                .executableTarget(
                    name: "confined", dependencies: ["CPrivileges"], path: "Tests/Support/Confined", cSettings: strictC),
                .target(name: "SteadyTimers", cSettings: strictC),
                .executableTarget(name: "filter-dump", path: "Tests/Support/FilterDump", cSettings: strictC),
                .executableTarget(
                    name: "protect", dependencies: ["EpitopeModel", "BehaviourBlocking", "SeccompBackend"], path: "Tests/Support/Protect",
                    swiftSettings: strict),
                .executableTarget(
                    name: "kernel-matrix",
                    dependencies: ["EpitopeModel", "BehaviourBlocking", "KernelBackend", "TestSupport", "call-stub", "inject-stub"],
                    path: "Tests/Support/KernelMatrix", swiftSettings: strict),
            ]),

        // Benchmarks, experiments, and the fuzzer. None of them is a product.
        group(
            "Bench",
            [
                .executableTarget(name: "call-cost", path: "Bench/Host/CallCost", cSettings: strictC),
                .executableTarget(name: "call-floor", path: "Bench/Host/CallFloor", cSettings: strictC),
                .target(name: "ProgramMeasure", dependencies: ["CBpf"], path: "Bench/Host/ProgramMeasure", cSettings: strictC),
                .target(name: "ProgramTrace", path: "Bench/Host/ProgramTrace", swiftSettings: strict),
                .executableTarget(
                    name: "program-cost", dependencies: ["BehaviourBlocking", "KernelBackend", "ProgramMeasure", "ProgramTrace"],
                    path: "Bench/Host/ProgramCost", swiftSettings: strict, plugins: ["KernelProgram"]),
                .target(name: "BenchSupport", path: "Bench/Support", swiftSettings: strict),
                .executableTarget(
                    name: "signature-bench",
                    dependencies: [
                        "EpitopeModel", "Signatures", "FileAccess", "ProcessContext", "Rendering", "StreamReassembly", "Captures",
                        "GoodwareIndex", "PatternScan", "GoodwareReading", "GoodwareFiles", "TokenSequences", "SignatureMaking",
                        "SignatureProving",
                        "TestSupport", "BenchSupport", argumentParser,
                    ], path: "Bench/Signatures", exclude: ["bench-signatures", "benign-traffic"], swiftSettings: strict),
                .executableTarget(
                    name: "center-load",
                    dependencies: [
                        "EpitopeModel", "Signatures", "PacketCoding", "SecureChannel", "Correlation", "CenterStore", "TestSupport",
                        argumentParser, crypto, nioCore, nioPosix, nioSSL, nioTLS, swiftASN1, x509,
                    ], path: "Bench/Center/CenterLoad", swiftSettings: strict),
                .executableTarget(
                    name: "epitope-fuzz",
                    dependencies: [
                        "EpitopeModel", "Signatures", "PacketCoding", "FileAccess", "BehaviourBlocking", "UnwindTables",
                        "ProcessInspection", "HostPolicy", "HostPipeline", "Rendering", "Disassembly", "InputFiles", "StreamReassembly",
                        "Captures", "ProtocolBuffers", "WireMatching", "GoodwareIndex", "PatternScan", "GoodwareReading", "GoodwareFiles",
                        "TokenSequences",
                        "SignatureMaking", "SecureChannel", "KeyProcess", "CenterStore", "CenterBackup", "TestSupport",
                        "BenchSupport",
                        argumentParser, crypto, swiftASN1, x509,
                    ], path: "Fuzz", exclude: ["fuzz"], swiftSettings: strict),
            ]),

        // The tests, in the same order.
        group(
            "Tests/Model",
            [
                tests("EpitopeModelTests", ["EpitopeModel"]),
                tests("SignaturesTests", ["EpitopeModel", "Signatures"]),
                tests("PacketCodingTests", ["EpitopeModel", "Signatures", "PacketCoding"]),
            ]),

        group(
            "Tests/SupportTests",
            [
                tests("FileAccessTests", ["FileAccess"]),
                tests("SettingsTests", ["EpitopeModel", "SettingsFiles", "SettingsYAML"]),
                tests("SchedulingTests", ["Scheduling"]),
                tests("ProgramRunsTests", ["ProgramRuns"]),
                tests("SQLiteStoreTests", ["EpitopeModel", "Scheduling", "SQLiteStore", grdb]),
                tests("PostgresStoreTests", ["EpitopeModel", "PostgresStore"]),
                tests("TestSupportTests", []),
            ]),

        group(
            "Tests/Host",
            [
                tests("BehaviourBlockingTests", ["EpitopeModel", "BehaviourBlocking"]),
                tests(
                    "SeccompBackendTests",
                    [
                        "EpitopeModel", "CProcessFiles", "CSeccomp", "FileAccess", "BehaviourBlocking", "UnwindTables",
                        "ProcessInspection", "SeccompBackend", "call-stub", "filter-dump", "memory-program", "protect", "reach-stub",
                        "return-stub", "sample-service",
                    ]),
                tests(
                    "KernelBackendTests",
                    [
                        "EpitopeModel", "CKernelProgram", "BehaviourBlocking", "ProcessInspection", "KernelBackend", "HostPolicy",
                        "KernelWatch", "ProgramTrace", "call-stub", "inject-stub", "memory-program", "return-stub",
                    ]),
                tests(
                    "ProcessContextTests",
                    ["EpitopeModel", "FileAccess", "BehaviourBlocking", "ProcessContext", crypto, grdb]),
                tests("HostPolicyTests", ["EpitopeModel", "FileAccess", "BehaviourBlocking", "ProcessInspection", "HostPolicy"]),
                tests("NoveltyTests", ["EpitopeModel", "Novelty"]),
                tests("HostStoreTests", ["EpitopeModel", "Signatures", "PacketCoding", "Novelty", "HostStore", grdb]),
                tests(
                    "HostPipelineTests",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "Scheduling", "BehaviourBlocking", "ProcessContext", "Novelty",
                        "HostStore", "HostPipeline", logging,
                    ]),
                tests("AgentLifeCycleTests", ["EpitopeModel", "KernelBackend", "AgentLifeCycle", "HostFrontEnd"]),
            ]),

        group(
            "Tests/Channel",
            [
                tests(
                    "SecureChannelTests",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "Scheduling", "SecureChannel", "CenterServer", asyncHTTPClient,
                        crypto, logging, nioCore, nioPosix, nioSSL, nioHTTP1, serviceLifecycle, swiftASN1, x509,
                    ]),
                tests(
                    "AgentUpdatesTests", ["EpitopeModel", "FileAccess", "SecureChannel", "KeyProcess", "AgentUpdates", crypto]),
                tests("RelayTests", ["EpitopeModel", "SecureChannel", "Relay", nioCore, nioPosix]),
                tests("KeyProcessTests", ["EpitopeModel", "CPrivileges", "SecureChannel", "KeyProcess", "confined", crypto, x509]),
            ]),

        group(
            "Tests/Rules",
            [
                tests("RenderingTests", ["EpitopeModel", "Signatures", "Rendering"], exclude: ["Snapshots"]),
                tests(
                    "EngineAcceptanceTests",
                    [
                        "EpitopeModel", "Signatures", "Rendering", "PatternScan", "TokenSequences", "SignatureMaking", "SignatureProving",
                        "EngineAcceptance",
                    ]),
            ]),

        group(
            "Tests/SignatureGeneration",
            [
                tests("DisassemblyTests", ["EpitopeModel", "Disassembly"]),
                tests("InputFilesTests", ["EpitopeModel", "Disassembly", "InputFiles", "call-stub"]),
                tests("StreamReassemblyTests", ["EpitopeModel", "StreamReassembly"]),
                tests("CapturesTests", ["EpitopeModel", "StreamReassembly", "Captures"]),
                tests("ProtocolBuffersTests", ["EpitopeModel", "Signatures", "StreamReassembly", "ProtocolBuffers"]),
                tests("WireMatchingTests", ["WireMatching"]),
                tests("GoodwareIndexTests", ["EpitopeModel", "Signatures", "GoodwareIndex"]),
                tests("PatternScanTests", ["EpitopeModel", "Signatures", "PatternScan"]),
                tests(
                    "GoodwareFilesTests", ["EpitopeModel", "Signatures", "FileAccess", "GoodwareIndex", "GoodwareReading", "GoodwareFiles"]),
                tests("TokenSequencesTests", ["Signatures", "TokenSequences"]),
                tests("SignatureMakingTests", ["EpitopeModel", "Signatures", "Disassembly", "TokenSequences", "SignatureMaking"]),
                tests(
                    "SignatureProvingTests",
                    [
                        "EpitopeModel", "Signatures", "Captures", "GoodwareIndex", "GoodwareReading", "GoodwareFiles", "SignatureMaking",
                        "SignatureProving",
                    ]),
            ]),

        group(
            "Tests/Center",
            [
                tests("CorrelationTests", ["EpitopeModel", "Signatures", "Correlation"]),
                tests("CenterMetricsTests", ["CenterMetrics"]),
                tests(
                    "NotificationTests",
                    [
                        "EpitopeModel", "Signatures", "Scheduling", "SettingsFiles", "SettingsYAML", "CenterMetrics", "Notifications",
                        "CenterStore", "NotificationDelivery", "epitope", logging,
                    ], exclude: ["Receivers", "Snapshots"]),
                tests("SuricataDeliveryTests", ["EpitopeModel", "Signatures", "Rendering", "SuricataDelivery"]),
                tests(
                    "CenterTests",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "FileAccess", "Scheduling", "SQLiteStore", "PostgresStore",
                        "SettingsFiles", "SecureChannel",
                        "Rendering", "Captures", "GoodwareReading", "GoodwareFiles", "SignatureMaking", "SignatureProving",
                        "Correlation", "AgentPackages", "SuricataDelivery", "CenterMetrics", "Notifications", "CenterStore", "CenterBackup",
                        "CenterAnalysis",
                        "CenterServer", "CenterMonitoring", "NotificationDelivery", "LocalCenter", "GlobalCenter", crypto, grdb, logging,
                        serviceLifecycle,
                    ], exclude: ["Snapshots"]),
            ]),

        group(
            "Tests/FrontEnds",
            [
                tests(
                    "CommandLineTests",
                    [
                        "EpitopeModel", "PacketCoding", "SettingsFiles", "SettingsYAML", "SecureChannel", "SuricataDelivery",
                        "CenterAnalysis", "LocalCenter", "GlobalCenter", "HostFrontEnd", "epitope", "epitope-agent", logging,
                    ])
            ]),

        group(
            "Tests/System",
            [
                tests(
                    "AgentTests",
                    [
                        "EpitopeModel", "PacketCoding", "HostStore", "AgentLifeCycle", "EpitopeStubs", "epitope", "epitope-agent",
                        "call-series", "call-stub",
                    ]),
                tests("FaultTests", ["epitope", "center-load"]),
                tests("FailoverTests", ["epitope", "center-load"]),
                tests(
                    "MachineTests",
                    ["epitope", "epitope-agent", "call-series", "call-stub", "inject-stub", "kernel-matrix", "protect", "return-stub"]),
                tests(
                    "OrdinaryWorkTests",
                    ["EpitopeModel", "BehaviourBlocking", "KernelBackend", "HostPolicy", "KernelWatch", "epitope", "call-stub"]),
                tests(
                    "EndToEndTests",
                    [
                        "EpitopeModel", "Signatures", "PacketCoding", "AgentLifeCycle", "CPrivileges", "CSeccomp", "Rendering", "epitope",
                        "epitope-agent", "call-series",
                        "call-stub", "reach-stub", "sample-sender", "sample-service", "served-stub", grdb,
                    ]),
            ]),
    ].flatMap { $0 }
)
