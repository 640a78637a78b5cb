"""Every application identifier: its format, its checks and its data title.

GS1 General Specifications figure 3.2-1 (release 26), one line an application identifier or
a range of them::

    AI        FORMAT       CHECK      DATA TITLE

FORMAT is the standard's: ``N6`` six digits, ``X..20`` one to twenty characters of set 82,
``Y`` of set 39, ``Z`` of the file-safe base-64 set, ``[+...]`` what may be missing; the
application identifier itself is left out. CHECK names what the digits must be beyond their
number (``content.CHECKS``), ``-`` nothing.
"""

APPLICATION_IDENTIFIERS = """
00        N18          digit      SSCC
01        N14          digit      GTIN
02        N14          digit      CONTENT
03        N14          digit      MTO GTIN
10        X..20        -          BATCH/LOT
11        N6           day00      PROD DATE
12        N6           day00      DUE DATE
13        N6           day00      PACK DATE
15        N6           day00      BEST BEFORE or BEST BY
16        N6           day00      SELL BY
17        N6           day00      USE BY or EXPIRY
20        N2           -          VARIANT
21        X..20        -          SERIAL
22        X..20        -          CPV
235       X..28        -          TPX
240       X..30        -          ADDITIONAL ID
241       X..30        -          CUST. PART No.
242       N..6         -          MTO VARIANT
243       X..20        -          PCN
250       X..30        -          SECONDARY SERIAL
251       X..30        -          REF. TO SOURCE
253       N13[+X..17]  digit      GDTI
254       X..20        -          GLN EXTENSION COMPONENT
255       N13[+N..12]  digit      GCN
30        N..8         -          VAR. COUNT
310[0-5]  N6           -          NET WEIGHT (kg)
311[0-5]  N6           -          LENGTH (m)
312[0-5]  N6           -          WIDTH (m)
313[0-5]  N6           -          HEIGHT (m)
314[0-5]  N6           -          AREA (m²)
315[0-5]  N6           -          NET VOLUME (l)
316[0-5]  N6           -          NET VOLUME (m³)
320[0-5]  N6           -          NET WEIGHT (lb)
321[0-5]  N6           -          LENGTH (in)
322[0-5]  N6           -          LENGTH (ft)
323[0-5]  N6           -          LENGTH (yd)
324[0-5]  N6           -          WIDTH (in)
325[0-5]  N6           -          WIDTH (ft)
326[0-5]  N6           -          WIDTH (yd)
327[0-5]  N6           -          HEIGHT (in)
328[0-5]  N6           -          HEIGHT (ft)
329[0-5]  N6           -          HEIGHT (yd)
330[0-5]  N6           -          GROSS WEIGHT (kg)
331[0-5]  N6           -          LENGTH (m), log
332[0-5]  N6           -          WIDTH (m), log
333[0-5]  N6           -          HEIGHT (m), log
334[0-5]  N6           -          AREA (m²), log
335[0-5]  N6           -          VOLUME (l), log
336[0-5]  N6           -          VOLUME (m³), log
337[0-5]  N6           -          KG PER m²
340[0-5]  N6           -          GROSS WEIGHT (lb)
341[0-5]  N6           -          LENGTH (in), log
342[0-5]  N6           -          LENGTH (ft), log
343[0-5]  N6           -          LENGTH (yd), log
344[0-5]  N6           -          WIDTH (in), log
345[0-5]  N6           -          WIDTH (ft), log
346[0-5]  N6           -          WIDTH (yd), log
347[0-5]  N6           -          HEIGHT (in), log
348[0-5]  N6           -          HEIGHT (ft), log
349[0-5]  N6           -          HEIGHT (yd), log
350[0-5]  N6           -          AREA (in²)
351[0-5]  N6           -          AREA (ft²)
352[0-5]  N6           -          AREA (yd²)
353[0-5]  N6           -          AREA (in²), log
354[0-5]  N6           -          AREA (ft²), log
355[0-5]  N6           -          AREA (yd²), log
356[0-5]  N6           -          NET WEIGHT (troy oz)
357[0-5]  N6           -          NET VOLUME (oz)
360[0-5]  N6           -          NET VOLUME (qt)
361[0-5]  N6           -          NET VOLUME (gal.)
362[0-5]  N6           -          VOLUME (qt), log
363[0-5]  N6           -          VOLUME (gal.), log
364[0-5]  N6           -          NET VOLUME (in³)
365[0-5]  N6           -          NET VOLUME (ft³)
366[0-5]  N6           -          NET VOLUME (yd³)
367[0-5]  N6           -          VOLUME (in³), log
368[0-5]  N6           -          VOLUME (ft³), log
369[0-5]  N6           -          VOLUME (yd³), log
37        N..8         -          COUNT
390[0-9]  N..15        -          AMOUNT
391[0-9]  N3+N..15     -          AMOUNT
392[0-9]  N..15        -          PRICE
393[0-9]  N3+N..15     -          PRICE
394[0-3]  N4           -          PRCNT OFF
395[0-5]  N6           -          PRICE/UoM
400       X..30        -          ORDER NUMBER
401       X..30        -          GINC
402       N17          digit      GSIN
403       X..30        -          ROUTE
410       N13          digit      SHIP TO LOC
411       N13          digit      BILL TO
412       N13          digit      PURCHASE FROM
413       N13          digit      SHIP FOR LOC
414       N13          digit      LOC No.
415       N13          digit      PAY TO
416       N13          digit      PROD/SERV LOC
417       N13          digit      PARTY
420       X..20        -          SHIP TO POST
421       N3+X..9      -          SHIP TO POST
422       N3           -          ORIGIN
423       N3+N..12     -          COUNTRY - INITIAL PROCESS
424       N3           -          COUNTRY - PROCESS
425       N3+N..12     -          COUNTRY - DISASSEMBLY
426       N3           -          COUNTRY - FULL PROCESS
427       X..3         -          ORIGIN SUBDIVISION
4300      X..35        percent    SHIP TO COMP
4301      X..35        percent    SHIP TO NAME
4302      X..70        percent    SHIP TO ADD1
4303      X..70        percent    SHIP TO ADD2
4304      X..70        percent    SHIP TO SUB
4305      X..70        percent    SHIP TO LOC
4306      X..70        percent    SHIP TO REG
4307      X2           -          SHIP TO COUNTRY
4308      X..30        -          SHIP TO PHONE
4309      N20          place      SHIP TO GEO
4310      X..35        percent    RTN TO COMP
4311      X..35        percent    RTN TO NAME
4312      X..70        percent    RTN TO ADD1
4313      X..70        percent    RTN TO ADD2
4314      X..70        percent    RTN TO SUB
4315      X..70        percent    RTN TO LOC
4316      X..70        percent    RTN TO REG
4317      X2           -          RTN TO COUNTRY
4318      X..20        -          RTN TO POST
4319      X..30        -          RTN TO PHONE
4320      X..35        percent    SRV DESCRIPTION
4321      N1           yes_no     DANGEROUS GOODS
4322      N1           yes_no     AUTH LEAVE
4323      N1           yes_no     SIG REQUIRED
4324      N10          day00_time NBEF DEL DT
4325      N10          day00_time NAFT DEL DT
4326      N6           day        REL DATE
4330      N6+[-]       -          MAX TEMP F
4331      N6+[-]       -          MAX TEMP C
4332      N6+[-]       -          MIN TEMP F
4333      N6+[-]       -          MIN TEMP C
7001      N13          -          NSN
7002      X..30        -          MEAT CUT
7003      N10          day_time   EXPIRY TIME
7004      N..4         -          ACTIVE POTENCY
7005      X..12        -          CATCH AREA
7006      N6           day        FIRST FREEZE DATE
7007      N6[+N6]      days       HARVEST DATE
7008      X..3         -          AQUATIC SPECIES
7009      X..10        -          FISHING GEAR TYPE
7010      X..2         -          PROD METHOD
7011      N6[+N4]      day_time   TEST BY DATE
7020      X..20        -          REFURB LOT
7021      X..20        -          FUNC STAT
7022      X..20        -          REV STAT
7023      X..30        -          GIAI - ASSEMBLY
703[0-9]  N3+X..27     -          PROCESSOR # n
7040      N1+X3        -          UIC+EXT
7041      X..4         -          UFRGT UNIT TYPE
710       X..20        -          NHRN PZN
711       X..20        -          NHRN CIP
712       X..20        -          NHRN CN
713       X..20        -          NHRN DRN
714       X..20        -          NHRN AIM
715       X..20        -          NHRN NDC
716       X..20        -          NHRN AIC
717       X..20        -          NHRN SRN
723[0-9]  X2+X..28     -          CERT # n
7240      X..20        -          PROTOCOL
7241      N2           -          AIDC MEDIA TYPE
7242      X..25        -          VCN
7250      N8           birth      DOB
7251      N12          birth      DOB TIME
7252      N1           sex        BIO SEX
7253      X..40        percent    FAMILY NAME
7254      X..40        percent    GIVEN NAME
7255      X..10        -          SUFFIX
7256      X..90        percent    FULL NAME
7257      X..70        percent    PERSON ADDR
7258      N1+X1+N1     -          BIRTH SEQUENCE
7259      X..40        percent    BABY
8001      N14          roll       DIMENSIONS
8002      X..20        -          CMT No.
8003      N14[+X..16]  digit      GRAI
8004      X..30        -          GIAI
8005      N6           -          PRICE PER UNIT
8006      N14+N2+N2    piece      ITIP
8007      X..34        iban       IBAN
8008      N8[+N..4]    produced   PROD TIME
8009      X..50        -          OPTSEN
8010      Y..30        -          CPID
8011      N..12        number     CPID SERIAL
8012      X..20        -          VERSION
8013      X..25        pair       GMN
8014      X..25        pair       MUDI
8017      N18          digit      GSRN - PROVIDER
8018      N18          digit      GSRN - RECIPIENT
8019      N..10        -          SRIN
8020      X..25        -          REF No.
8026      N14+N2+N2    piece      ITIP CONTENT
8030      Z..90        -          DIGSIG
8040      N15          -          IMEI
8041      N15          -          IMEI2
8042      N32          -          ESIM
8043      N18+[N1..N2] -          PSIM
8110      X..70        -          COUPON
8111      N4           -          POINTS
8112      X..70        -          COUPON
8200      X..70        -          PRODUCT URL
90        X..30        -          INTERNAL
9[1-9]    X..90        -          INTERNAL
"""
